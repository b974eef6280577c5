#ifndef _LINUX_PERF_EVENT_H
#define _LINUX_PERF_EVENT_H

/* Take the host's events off this CPU, and put them back. Interrupts are off. */
void perf_load_guest_context(void);
void perf_put_guest_context(void);

#endif
