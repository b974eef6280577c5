#include <linux/types.h>
#include <linux/perf_event.h>

/* Events that leave guests alone are off this CPU. */
static DEFINE_PER_CPU(bool, guest_ctx_loaded);

static void move_host_events(bool out)
{
	if (WARN_ON_ONCE(this_cpu_read(guest_ctx_loaded) == out))
		return;

	if (out)
		perf_host_events_out();
	else
		perf_host_events_in();

	this_cpu_write(guest_ctx_loaded, out);
}

void perf_load_guest_context(void)
{
	move_host_events(true);
}

void perf_put_guest_context(void)
{
	move_host_events(false);
}
