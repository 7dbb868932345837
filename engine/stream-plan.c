#include "stream-plan.h"

#include "file/architecture.h"

/* Unchanged frames after which a full pass makes up for updates. */
#define SETTLED 5

/* Frames from one full pass for something new to the next, so that those who come and stop and go
 * cannot make updates useless. */
#define RENEWAL 25

/* An update takes more time than its multiply-adds suggest: 1.1 to 1.4 times (AVX-512 VNNI, int8).
 */
#define OVERHEAD 1.2

/* An update should be clearly cheaper than what it replaces, since it is less exact. */
#define CLEARLY 0.8

/* Weight of a new value in a running mean. Motion in three frames of four outweighs calm before it.
 */
#define NEW 0.25

void vitgate__stream_plan_init(StreamPlan *plan, const Description *d)
{
  const double dense = d->dense_gmacs, none = vitgate__description_update_gmacs(d, 0);
  const guint n = vitgate__description_n_patches(d);
  *plan = (StreamPlan){
    .full = vitgate__description_gmacs(d) / dense,
    .update = OVERHEAD * none / dense,
    .update_patch = OVERHEAD * (vitgate__description_update_gmacs(d, n) - none) / dense / n,
  };
  plan->independent = plan->full;
}

void vitgate__stream_plan_restart(StreamPlan *plan, const VitgateStreamOptions *options)
{
  plan->known = plan->cached = plan->stale = plan->expired = FALSE;
  plan->renewed = FALSE;
  plan->still = plan->age = 0;
  plan->calm = RENEWAL;
  plan->expected = options->eager ? 0 : plan->independent;
}

/* Keys and values pay off if updates are expected. */
static VitgatePass whole_pass(const StreamPlan *plan, const VitgateStreamOptions *options,
                              gboolean wanted)
{
  const gboolean allowed = options->max_compute <= 0 || plan->full <= options->max_compute;
  return options->temporal && allowed && wanted ? VITGATE_PASS_FULL : VITGATE_PASS_INDEPENDENT;
}

static gboolean is_cheap(const StreamPlan *plan, double update)
{
  return update <= CLEARLY * plan->full && update <= plan->independent;
}

/* Patches that did not change know nothing of what is new among them. */
static gboolean is_renewal_due(const StreamPlan *plan)
{
  return plan->renewed && plan->cached && plan->stale && plan->calm >= RENEWAL;
}

VitgatePass vitgate__stream_plan_decide(StreamPlan *plan, const VitgateStreamOptions *options,
                                        const PlanFrame *frame, VitgateReason *reason)
{
  const double update = plan->update + frame->n_marked * plan->update_patch;
  plan->moved |= frame->dial != plan->dial;
  plan->dial = frame->dial;
  plan->renewed |= frame->n_new > 0;
  *reason = VITGATE_REASON_NONE;
  plan->age++;
  plan->calm++;
  if (!plan->known) {
    *reason = VITGATE_REASON_FIRST;
    return whole_pass(plan, options, options->eager);
  }
  if (plan->expired || plan->moved) {
    *reason = plan->expired ? VITGATE_REASON_EXPIRED : VITGATE_REASON_DIAL;
    return whole_pass(plan, options, plan->cached);
  }
  if (options->unchanged >= 0 && frame->change <= options->unchanged) {
    plan->still++;
    if (!plan->cached || !plan->stale || plan->still < SETTLED ||
        whole_pass(plan, options, TRUE) != VITGATE_PASS_FULL)
      return VITGATE_PASS_UNCHANGED;
    *reason = VITGATE_REASON_SETTLED;
    return VITGATE_PASS_FULL;
  }
  plan->still = 0;
  plan->expected += NEW * (update - plan->expected);
  const gboolean due = options->interval && plan->age >= options->interval;
  if (is_renewal_due(plan) && whole_pass(plan, options, TRUE) == VITGATE_PASS_FULL) {
    *reason = VITGATE_REASON_SETTLED;
    return VITGATE_PASS_FULL;
  }
  if (options->temporal && plan->cached && !due && is_cheap(plan, update))
    return VITGATE_PASS_UPDATED;
  *reason = plan->cached && due ? VITGATE_REASON_INTERVAL : VITGATE_REASON_MOTION;
  return whole_pass(plan, options, plan->expected <= CLEARLY * plan->independent);
}

void vitgate__stream_plan_record(StreamPlan *plan, VitgatePass pass, double cost)
{
  if (pass == VITGATE_PASS_UNCHANGED)
    return;
  plan->known = TRUE;
  if (pass != VITGATE_PASS_UPDATED) /* which was decided on before */
    plan->expired = plan->moved = FALSE;
  plan->stale = pass == VITGATE_PASS_UPDATED;
  plan->cached = pass == VITGATE_PASS_FULL || (plan->cached && pass == VITGATE_PASS_UPDATED);
  if (pass == VITGATE_PASS_FULL)
    plan->age = 0;
  if (pass == VITGATE_PASS_FULL && plan->renewed)
    plan->calm = 0;
  if (pass != VITGATE_PASS_UPDATED)
    plan->renewed = FALSE;
  if (pass == VITGATE_PASS_INDEPENDENT)
    plan->independent += NEW * (cost - plan->independent);
}
