/* Which node of a fleet should have which camera. */
#include <stdlib.h>

#include "fixtures.h"
#include "fleet/assignment.h"

#define NODES   20
#define CAMERAS 10000

typedef struct {
  char names[NODES][16];
  AssignmentNode nodes[NODES];
  int owners[CAMERAS];
} Fleet;

static char *camera_name(guint i)
{
  return g_strdup_printf("camera %u", i);
}

static void assign(Fleet *self)
{
  for (guint i = 0; i < CAMERAS; i++) {
    g_autofree char *name = camera_name(i);
    self->owners[i] = assignment_find_best(self->nodes, NODES, name);
  }
}

static void make(Fleet *self)
{
  for (guint i = 0; i < NODES; i++) {
    g_snprintf(self->names[i], sizeof self->names[i], "node-%u", i);
    self->nodes[i] = (AssignmentNode){ self->names[i], 100 };
  }
  assign(self);
}

static guint count(const Fleet *self, int node)
{
  guint n = 0;
  for (guint i = 0; i < CAMERAS; i++)
    n += self->owners[i] == node;
  return n;
}

/* 500 cameras each; the standard deviation is 22. */
START_TEST(equal_nodes_have_equal_shares)
{
  Fleet fleet;
  make(&fleet);
  for (int i = 0; i < NODES; i++)
    ck_assert_msg(ABS((int)count(&fleet, i) - 500) < 90, "node %d: %u", i, count(&fleet, i));
}
END_TEST

START_TEST(a_share_is_proportional_to_the_weight)
{
  Fleet fleet;
  make(&fleet);
  fleet.nodes[3].weight = 400; /* of 2300 */
  assign(&fleet);
  ck_assert_int_lt(ABS((int)count(&fleet, 3) - 1739), 150);
}
END_TEST

START_TEST(a_node_that_goes_moves_only_its_own_cameras)
{
  Fleet fleet;
  make(&fleet);
  Fleet after = fleet;
  after.nodes[7].weight = 0;
  assign(&after);
  for (guint i = 0; i < CAMERAS; i++) {
    if (fleet.owners[i] == 7)
      ck_assert_int_ne(after.owners[i], 7);
    else
      ck_assert_int_eq(after.owners[i], fleet.owners[i]);
  }
}
END_TEST

START_TEST(a_heavier_node_only_gains)
{
  Fleet fleet;
  make(&fleet);
  Fleet after = fleet;
  after.nodes[2].weight = 130;
  assign(&after);
  for (guint i = 0; i < CAMERAS; i++)
    ck_assert(after.owners[i] == fleet.owners[i] || after.owners[i] == 2);
  ck_assert_uint_gt(count(&after, 2), count(&fleet, 2));
}
END_TEST

START_TEST(order_of_nodes_does_not_matter)
{
  AssignmentNode nodes[] = { { "a", 1 }, { "b", 2 }, { "c", 3 } };
  AssignmentNode turned[] = { { "c", 3 }, { "a", 1 }, { "b", 2 } };
  for (guint i = 0; i < 100; i++) {
    g_autofree char *name = camera_name(i);
    ck_assert_str_eq(nodes[assignment_find_best(nodes, 3, name)].name,
                     turned[assignment_find_best(turned, 3, name)].name);
  }
}
END_TEST

START_TEST(the_next_in_rank_is_the_best_without_the_first)
{
  Fleet fleet;
  make(&fleet);
  for (guint i = 0; i < 100; i++) {
    guint order[NODES];
    g_autofree char *name = camera_name(i);
    ck_assert_uint_eq(assignment_rank(fleet.nodes, NODES, name, order), NODES);
    ck_assert_int_eq((int)order[0], fleet.owners[i]);
    fleet.nodes[order[0]].weight = 0;
    ck_assert_int_eq((int)order[1], assignment_find_best(fleet.nodes, NODES, name));
    ck_assert_uint_eq(assignment_rank(fleet.nodes, NODES, name, order), NODES - 1);
    for (guint k = 0; k < NODES; k++)
      fleet.nodes[k].weight = 100;
  }
}
END_TEST

START_TEST(nobody_has_a_camera_without_a_weight)
{
  AssignmentNode nodes[] = { { "a", 0 }, { "b", -1 }, { "c", 0.0 / 0.0 } };
  guint order[3];
  ck_assert_int_eq(assignment_find_best(nodes, 3, "yard"), -1);
  ck_assert_int_eq(assignment_find_best(NULL, 0, "yard"), -1);
  ck_assert_uint_eq(assignment_rank(nodes, 3, "yard", order), 0);
}
END_TEST

/* Machines of a fleet have to agree, today's and those of a later version. */
START_TEST(every_machine_finds_the_same)
{
  Fleet fleet;
  make(&fleet);
  static const int expected[] = { 13, 1, 3, 4, 8, 12, 14, 7,  12, 16, 13, 7,
                                  5,  1, 8, 1, 4, 4,  13, 17, 8,  5,  14, 12 };
  for (guint i = 0; i < G_N_ELEMENTS(expected); i++)
    ck_assert_int_eq(fleet.owners[i], expected[i]);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("assignment");
  tcase_add_test(tests, equal_nodes_have_equal_shares);
  tcase_add_test(tests, a_share_is_proportional_to_the_weight);
  tcase_add_test(tests, a_node_that_goes_moves_only_its_own_cameras);
  tcase_add_test(tests, a_heavier_node_only_gains);
  tcase_add_test(tests, order_of_nodes_does_not_matter);
  tcase_add_test(tests, the_next_in_rank_is_the_best_without_the_first);
  tcase_add_test(tests, nobody_has_a_camera_without_a_weight);
  tcase_add_test(tests, every_machine_finds_the_same);
  return fixtures_run(tests, "assignment");
}
