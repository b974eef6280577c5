#ifndef _LINUX_PERF_EVENT_H
#define _LINUX_PERF_EVENT_H

#include <uapi/linux/perf_event.h>

/* Take the host's events off this CPU, and put them back. Interrupts are off. */
void perf_load_guest_context(void);
void perf_put_guest_context(void);

/* The selector (event and unit mask) of one of perf's generic events. */
u64 perf_get_hw_event_config(int hw_event);

#endif
