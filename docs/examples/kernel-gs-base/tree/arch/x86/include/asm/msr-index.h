/* SPDX-License-Identifier: MIT */
#define MSR_KERNEL_GS_BASE 0xc0000102
