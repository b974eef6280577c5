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

	/* An NMI between the two is still perf's own. */
	apic_write(APIC_LVTPC, lvtpc);
	this_cpu_write(guest_lvtpc_loaded, true);
}

void perf_put_guest_lvtpc(void)
{
	this_cpu_write(guest_lvtpc_loaded, false);
	apic_write(APIC_LVTPC, APIC_DM_NMI);
}

/* True: the NMI was a counter of the host. */
bool perf_event_nmi_handler(void)
{
	if (this_cpu_read(guest_lvtpc_loaded))
		return false;

	return x86_pmu_handle_irq();
}
