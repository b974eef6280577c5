#include <asm/apicdef.h>
#include <asm/irq_vectors.h>
#include <asm/perf_event.h>

/* This CPU's overflow interrupts belong to a guest. */
static DEFINE_PER_CPU(bool, guest_lvtpc_loaded);

void perf_load_guest_lvtpc(u32 guest_lvtpc)
{
	u32 lvtpc = PERF_GUEST_MEDIATED_PMI_VECTOR | APIC_DM_FIXED;

	/* The guest's mask bit counts; the vector is not for it to choose. */
	if (guest_lvtpc & APIC_LVT_MASKED)
		lvtpc |= APIC_LVT_MASKED;

	/* perf's NMI handler sets LVTPC and GLOBAL_CTRL: it must be out of the way first. */
	this_cpu_write(guest_lvtpc_loaded, true);
	apic_write(APIC_LVTPC, lvtpc);
}

void perf_put_guest_lvtpc(void)
{
	this_cpu_write(guest_lvtpc_loaded, false);
	apic_write(APIC_LVTPC, APIC_DM_NMI);
}

/* Events of the host, on any CPU. */
static atomic_t active_events;

DEFINE_STATIC_CALL_NULL(x86_pmu_handle_irq, *x86_pmu.handle_irq);

/* Whether the NMI was a counter of the host. */
static int perf_event_nmi_handler(unsigned int cmd, struct pt_regs *regs)
{
	bool mine = !this_cpu_read(guest_lvtpc_loaded);

	if (mine && atomic_read(&active_events))
		return static_call(x86_pmu_handle_irq)(regs);

	return NMI_DONE;
}
