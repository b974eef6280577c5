#ifndef _LINUX_TYPES_H
#define _LINUX_TYPES_H

typedef unsigned char u8;
typedef signed char s8;
typedef unsigned short u16;
typedef signed short s16;
typedef unsigned int u32;
typedef signed int s32;
typedef unsigned long long u64;
typedef signed long long s64;

typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)

#define DECLARE_BITMAP(name, bits) unsigned long name[((bits) + 63) / 64]

#endif
