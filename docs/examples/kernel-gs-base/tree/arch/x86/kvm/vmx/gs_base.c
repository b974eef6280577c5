// SPDX-License-Identifier: MIT
/* The switch of one register, written for msrproof's documentation; no kernel looks like this. */
#include <asm/msr-index.h>

struct vcpu_gs {
	u64 guest_base;
	u64 host_base;
};

static bool is_noncanonical(u64 address)
{
	int unused = cpu_has_la57() ? 7 : 16;

	return (u64)((s64)(address << unused) >> unused) != address;
}

void gs_base_load(struct vcpu_gs *gs)
{
	rdmsrq(MSR_KERNEL_GS_BASE, gs->host_base);
	wrmsrq(MSR_KERNEL_GS_BASE, gs->guest_base);
}

void gs_base_put(struct vcpu_gs *gs)
{
	rdmsrq(MSR_KERNEL_GS_BASE, gs->guest_base);
	wrmsrq(MSR_KERNEL_GS_BASE, gs->host_base);
}

/* Userspace's accesses, while the vCPU is put. */
int gs_base_set(struct vcpu_gs *gs, u64 data)
{
	if (is_noncanonical(data))
		return 1;

	gs->guest_base = data;
	return 0;
}

u64 gs_base_get(struct vcpu_gs *gs)
{
	return gs->guest_base;
}
