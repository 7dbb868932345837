/* The threads of a session: in many runs, each member runs and none passes a barrier early. */
#include <pthread.h>
#include <signal.h>

#include "base/team.h"
#include "fixture.h"

#define MAX_MEMBERS 8
#define N_BARRIERS  8

typedef struct {
  Team *team;
  guint n_members;
  guint run;
  guint steps[MAX_MEMBERS]; /* each written by one member, read by all after a barrier */
  guint n_wrong[MAX_MEMBERS];
} Work;

/* Each member takes a step and checks after the barrier that all have. The second barrier delays
 * the next step until all have checked. */
static void take_steps(gpointer data, guint member)
{
  Work *work = data;
  for (guint i = 0; i < N_BARRIERS; i++) {
    work->steps[member]++;
    vitgate__team_barrier(work->team);
    for (guint m = 0; m < work->n_members; m++)
      work->n_wrong[member] += work->steps[m] != work->run * N_BARRIERS + i + 1;
    vitgate__team_barrier(work->team);
  }
}

START_TEST(nobody_passes_a_barrier_early)
{
  const guint n_members = (guint)_i, n_runs = 400 / n_members;
  Work work = { .team = vitgate__team_new(n_members), .n_members = n_members };
  ck_assert_ptr_nonnull(work.team);
  ck_assert_uint_eq(vitgate__team_size(work.team), n_members);
  for (work.run = 0; work.run < n_runs; work.run++)
    vitgate__team_run(work.team, take_steps, &work);
  for (guint m = 0; m < n_members; m++) {
    ck_assert_uint_eq(work.steps[m], n_runs * N_BARRIERS);
    ck_assert_uint_eq(work.n_wrong[m], 0);
  }
  vitgate__team_free(&work.team);
  ck_assert_ptr_null(work.team);
  vitgate__team_free(&work.team);
}
END_TEST

static void count_call(gpointer data, guint member)
{
  ((Work *)data)->steps[member]++;
}

/* Without a barrier inside a run, everything that a member wrote must be visible after the run. */
START_TEST(a_run_calls_every_member_once)
{
  const guint n_members = (guint)_i;
  Work work = { .team = vitgate__team_new(n_members), .n_members = n_members };
  for (guint run = 1; run <= 400; run++) {
    (run % 3 ? vitgate__team_run : vitgate__team_run_first)(work.team, count_call, &work);
    for (guint m = 0; m < n_members; m++)
      assert_each(work.steps[m] == run, "member %u of %u ran %u times in %u runs", m, n_members,
                  work.steps[m], run);
  }
  vitgate__team_free(&work.team);
}
END_TEST

static void note_thread(gpointer data, guint member)
{
  ((pthread_t *)data)[member] = pthread_self();
}

START_TEST(member_0_is_the_caller)
{
  pthread_t threads[MAX_MEMBERS];
  Team *team = vitgate__team_new(MAX_MEMBERS);
  vitgate__team_run(team, note_thread, threads);
  ck_assert(pthread_equal(threads[0], pthread_self()));
  for (guint i = 0; i < MAX_MEMBERS; i++)
    for (guint j = 0; j < i; j++)
      ck_assert(!pthread_equal(threads[i], threads[j]));
  vitgate__team_free(&team);
}
END_TEST

START_TEST(teams_come_and_go)
{
  for (guint i = 0; i < 200; i++) {
    Team *team = vitgate__team_new(i % MAX_MEMBERS + 1);
    Work work = { .team = team, .n_members = i % MAX_MEMBERS + 1 };
    if (i % 3)
      vitgate__team_run(team, take_steps, &work);
    vitgate__team_free(&team);
  }
}
END_TEST

static void note_signals(gpointer data, guint member)
{
  pthread_sigmask(SIG_SETMASK, NULL, (sigset_t *)data + member);
}

/* A signal to the process must not reach a thread that the application does not know. */
START_TEST(signals_are_left_to_the_callers_threads)
{
  sigset_t masks[MAX_MEMBERS], before, after;
  pthread_sigmask(SIG_SETMASK, NULL, &before);
  Team *team = vitgate__team_new(MAX_MEMBERS);
  vitgate__team_run(team, note_signals, masks);
  pthread_sigmask(SIG_SETMASK, NULL, &after);
  for (guint i = 1; i < MAX_MEMBERS; i++)
    ck_assert(sigismember(&masks[i], SIGINT) && sigismember(&masks[i], SIGTERM));
  ck_assert_int_eq(sigismember(&after, SIGINT), sigismember(&before, SIGINT));
  ck_assert_int_eq(sigismember(&masks[0], SIGTERM), sigismember(&before, SIGTERM));
  vitgate__team_free(&team);
}
END_TEST

int main(void)
{
  TCase *team = tcase_create("team");
  tcase_add_loop_test(team, nobody_passes_a_barrier_early, 1, MAX_MEMBERS + 1);
  tcase_add_loop_test(team, a_run_calls_every_member_once, 1, MAX_MEMBERS + 1);
  tcase_add_test(team, member_0_is_the_caller);
  tcase_add_test(team, teams_come_and_go);
  tcase_add_test(team, signals_are_left_to_the_callers_threads);
  return fixture_run("team", team, NULL);
}
