/* The student between stages: the classes that it keeps, the gates that are added and removed. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "file/architecture.h"
#include "fixtures.h"
#include "network/families/families.h"
#include "passes.h"
#include "train/cut/class-subset.h"
#include "train/run/model-writer.h"
#include "train/run/student.h"

/* The same float32 sums in another order. */
#define SAME_FUNCTION 1e-5

/* Separates the gates here: those bent to one decision have no spread, and the others have more
 * than this. */
#define MIN_SPREAD 0.02

/* A spread is the root of a small difference of squares below 400, in double precision. */
#define SPREAD_TOLERANCE 1e-6

enum { DEPTH = 4, SIZE = 12, N_CLASSES = 7, N_IMAGES = 12, N_MODULES = 2 * DEPTH };
enum { LAST_ATTENTION = N_MODULES - 2 };

static const BlockShape shapes[DEPTH] = { { 3, 48 }, { 2, 32 }, { 1, 64 }, { 2, 40 } };

static Description *describe(gboolean gates, gboolean distilled)
{
  static BlockShape blocks[DEPTH];
  memcpy(blocks, shapes, sizeof shapes);
  Description d = {
    .family = &vitgate__family_vit,
    .name = "small",
    .image_size = SIZE,
    .patch_size = 3,
    .dim = 10,
    .head_dim = 6,
    .depth = DEPTH,
    .blocks = blocks,
    .distilled = distilled,
    .n_classes = N_CLASSES,
    .layer_norm_eps = 1e-6,
    .preprocessing = { .resize = SIZE, .std = { 1, 1, 1 } },
  };
  if (gates)
    description_add_gates(&d);
  d.dense_gmacs = vitgate__description_published_gmacs(&d);
  d.dense_parameters = vitgate__description_parameters(&d);
  return class_subset_describe(&d, NULL, 0);
}

/* A network's results on some images, each on its own. */
typedef struct {
  guint n_classes;
  float logits[N_IMAGES * N_CLASSES];
  gboolean open[N_MODULES][N_IMAGES];
  double raw[N_MODULES][N_IMAGES]; /* the gates' logits before they are bounded */
  GateSum sums[N_MODULES];
} Outcome;

static Outcome run(const Network *network)
{
  Outcome outcome = { .n_classes = network->description->n_classes };
  g_autoptr(GRand) random = g_rand_new_with_seed(3);
  g_autofree float *tensors = g_new(float, N_IMAGES * 3 * SIZE * SIZE);
  for (guint i = 0; i < N_IMAGES * 3 * SIZE * SIZE; i++)
    tensors[i] = (float)g_rand_double_range(random, -1, 1);
  Team *team = vitgate__team_new(2);
  TrainingPass *pass = training_pass_new(network, team, N_IMAGES, FALSE, TRUE, NULL);
  pass->n_images = N_IMAGES;
  pass->tensors = tensors;
  passes_forward(pass);
  gate_sums_add(outcome.sums, pass);
  for (guint i = 0; i < N_IMAGES; i++) {
    memcpy(outcome.logits + i * outcome.n_classes, training_pass_get_logits(pass, i),
           outcome.n_classes * sizeof(float));
    for (guint m = 0; m < N_MODULES; m++) {
      outcome.open[m][i] = pass->decisions.open[m * pass->capacity + i] > 0;
      outcome.raw[m][i] = 6 * atanh(pass->decisions.logit[m * pass->capacity + i] / 6);
    }
  }
  training_pass_free(&pass);
  vitgate__team_free(&team);
  return outcome;
}

static void check_same(const Outcome *a, const Outcome *b)
{
  ck_assert_uint_eq(a->n_classes, b->n_classes);
  for (guint i = 0; i < N_IMAGES * a->n_classes; i++)
    ck_assert_float_eq_tol(a->logits[i], b->logits[i], SAME_FUNCTION);
}

static const GateOffsets *gate_of(const Network *network, guint module)
{
  const TrainBlock *block = &network->blocks[module / 2];
  return module % 2 ? &block->mlp_gate : &block->attention_gate;
}

static int compare(gconstpointer a, gconstpointer b)
{
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* @gates: on every module after block 0, each open for half of the images */
static Student make_student(gboolean gates)
{
  Description *d = describe(gates, FALSE);
  Student student = { d, network_new(d, FALSE) };
  passes_fill(student.network, 7);
  for (guint m = 2; gates && m < N_MODULES; m++) {
    Outcome outcome = run(student.network);
    qsort(outcome.raw[m], N_IMAGES, sizeof outcome.raw[m][0], compare);
    *network_at(student.network, gate_of(student.network, m)->fc2_bias) -=
        (real)((outcome.raw[m][N_IMAGES / 2 - 1] + outcome.raw[m][N_IMAGES / 2]) / 2);
  }
  return student;
}

static gboolean has_gate(const Student *student, guint module)
{
  const BlockShape *shape = &student->description->blocks[module / 2];
  ck_assert_int_eq(gate_of(student->network, module)->present,
                   module % 2 ? shape->mlp_gate : shape->attention_gate);
  return gate_of(student->network, module)->present;
}

static guint units_of(const Student *student, guint module)
{
  const BlockShape *shape = &student->description->blocks[module / 2];
  return module % 2 ? shape->neurons : shape->heads;
}

static guint units_before(guint module)
{
  return module % 2 ? shapes[module / 2].neurons : shapes[module / 2].heads;
}

/* ---- Gates that treat all images alike ---- */

/* Bends a gate to one decision for all images, at one end of its bounded logit's range. */
static void bend(const Student *student, guint module, gboolean open)
{
  *network_at(student->network, gate_of(student->network, module)->fc2_bias) = open ? 1e4f : -1e4f;
}

/* Bends some gates, settles, and checks the result: open gates are removed, shut gates are removed
 * with their modules, the others stay, and the network computes the same.
 * @bent: [N_MODULES] 'o' open, 's' shut, ' ' not bent */
static void check_settled(const char *bent)
{
  Student s = make_student(TRUE);
  guint n_bent = 0;
  for (guint m = 2; m < N_MODULES; m++)
    if (bent[m] != ' ') {
      bend(&s, m, bent[m] == 'o');
      n_bent++;
    }
  const Outcome before = run(s.network);
  g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
  student_settle_gates(&s, before.sums, MIN_SPREAD, notes);
  const Outcome after = run(s.network);
  check_same(&before, &after);
  ck_assert_uint_eq(notes->len, n_bent);
  for (guint m = 2; m < N_MODULES; m++) {
    ck_assert_int_eq(has_gate(&s, m), bent[m] == ' ');
    ck_assert_uint_eq(units_of(&s, m), bent[m] == 's' ? 0 : units_before(m));
    if (bent[m] == ' ')
      ck_assert_mem_eq(before.open[m], after.open[m], sizeof before.open[m]);
  }
  student_clear(&s);
}

START_TEST(test_gates_with_spread_stay)
{
  check_settled("        ");
}
END_TEST

START_TEST(test_an_open_gate_is_removed_and_its_module_stays)
{
  g_autofree char *bent = g_strnfill(N_MODULES, ' ');
  bent[_i] = 'o';
  check_settled(bent);
}
END_TEST

/* Not run for the gate of the last attention, since more depends on that. */
START_TEST(test_a_shut_gate_is_removed_with_its_module)
{
  g_autofree char *bent = g_strnfill(N_MODULES, ' ');
  bent[_i] = 's';
  check_settled(bent);
}
END_TEST

START_TEST(test_several_gates_are_removed_at_once)
{
  check_settled("  os so ");
}
END_TEST

/* There are no patch tokens after the last attention. If block 2's became the last one, the gate of
 * its MLP would see other features. */
START_TEST(test_the_last_attention_changes_no_other_gate)
{
  Student s = make_student(TRUE);
  bend(&s, LAST_ATTENTION, FALSE);
  const Outcome before = run(s.network);
  g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
  student_settle_gates(&s, before.sums, MIN_SPREAD, notes);
  const Outcome after = run(s.network);
  check_same(&before, &after);
  for (guint m = 2; m < N_MODULES; m++)
    ck_assert(m == LAST_ATTENTION || !memcmp(before.open[m], after.open[m], sizeof before.open[m]));
  student_clear(&s);
}
END_TEST

/* It may be removed if there is no other gate between it and the attention before it. */
START_TEST(test_the_last_attention_is_removed_if_no_gate_needs_it)
{
  check_settled("     oso");
}
END_TEST

START_TEST(test_the_note_names_the_module)
{
  Student s = make_student(TRUE);
  bend(&s, 3, TRUE);
  bend(&s, 4, FALSE);
  const Outcome before = run(s.network);
  g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
  student_settle_gates(&s, before.sums, MIN_SPREAD, notes);
  ck_assert_uint_eq(notes->len, 2);
  ck_assert_ptr_nonnull(strstr(notes->pdata[0], "block 1's MLP"));
  ck_assert_ptr_nonnull(strstr(notes->pdata[0], "stays open"));
  ck_assert_ptr_nonnull(strstr(notes->pdata[1], "block 2's attention"));
  ck_assert_ptr_nonnull(strstr(notes->pdata[1], "is cut"));
  student_clear(&s);
}
END_TEST

/* Sums over ten images of a gate whose logits are @spread above or below @mean. */
static GateSum make_sum(double open, double mean, double spread)
{
  return (GateSum){ 10, open, 10 * mean, 10 * (mean * mean + spread * spread) };
}

START_TEST(test_thresholds_of_open_images_and_spread)
{
  static const struct {
    double open, mean, spread;
    gboolean gate, module;
  } cases[] = {
    { 6, 3, 0, FALSE, TRUE },     { 5, 3, 0, FALSE, FALSE },    { 4, 3, 0, FALSE, FALSE },
    { 10, 5.9, 0, FALSE, TRUE },  { 0, -5.9, 0, FALSE, FALSE }, { 10, 3, 0.099, FALSE, TRUE },
    { 10, 3, 0.101, TRUE, TRUE }, { 0, -3, 0.101, TRUE, TRUE }, { 0, -3, 0.099, FALSE, FALSE },
    { 10, 0, 0.101, TRUE, TRUE },
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    Student s = make_student(TRUE);
    GateSum sums[N_MODULES];
    for (guint m = 0; m < N_MODULES; m++)
      sums[m] = make_sum(10, 1, 1);
    sums[3] = make_sum(cases[i].open, cases[i].mean, cases[i].spread);
    ck_assert_double_eq_tol(gate_sum_spread(&sums[3]), cases[i].spread, SPREAD_TOLERANCE);
    g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
    student_settle_gates(&s, sums, 0.1, notes);
    ck_assert_int_eq(has_gate(&s, 3), cases[i].gate);
    ck_assert_int_eq(units_of(&s, 3) > 0, cases[i].module);
    ck_assert_uint_eq(notes->len, !cases[i].gate);
    for (guint m = 2; m < N_MODULES; m++)
      ck_assert(m == 3 || (has_gate(&s, m) && units_of(&s, m) == units_before(m)));
    student_clear(&s);
  }
}
END_TEST

START_TEST(test_gates_that_never_close_are_removed)
{
  Student s = make_student(TRUE);
  GateSum sums[N_MODULES];
  for (guint m = 0; m < N_MODULES; m++)
    sums[m] = make_sum(m % 3 ? 9 : 10, 3, 1);
  g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
  ck_assert(student_open_idle_gates(&s, sums, notes));
  guint n_idle = 0;
  for (guint m = 2; m < N_MODULES; m++) {
    n_idle += m % 3 == 0;
    ck_assert_int_eq(has_gate(&s, m), m % 3 != 0);
    ck_assert_uint_eq(units_of(&s, m), units_before(m));
  }
  ck_assert_uint_eq(notes->len, n_idle);
  ck_assert(!student_open_idle_gates(&s, sums, notes));
  student_clear(&s);
}
END_TEST

/* Sums of modules without a gate are ignored. */
START_TEST(test_modules_without_gates_are_unchanged)
{
  Student s = make_student(FALSE);
  GateSum sums[N_MODULES];
  for (guint m = 0; m < N_MODULES; m++)
    sums[m] = make_sum(0, 0, 0);
  const Outcome before = run(s.network);
  g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
  student_settle_gates(&s, sums, 0.1, notes);
  const Outcome after = run(s.network);
  check_same(&before, &after);
  ck_assert_uint_eq(notes->len, 0);
  ck_assert(!student_has_gates(&s));
  student_clear(&s);
}
END_TEST

/* ---- Gates that are added ---- */

START_TEST(test_gates_are_added_where_they_pay)
{
  Student s = make_student(FALSE);
  s.description->dense_gmacs = 200 * vitgate__mlp_gmacs(s.description, 40, 1) * 1.001;
  student_add_gates(&s, NULL); /* block 3's MLP costs just less than 0.5 % */
  for (guint m = 0; m < N_MODULES; m++)
    ck_assert_int_eq(has_gate(&s, m), m >= 2 && m != 7);
  ck_assert(student_has_gates(&s));
  student_clear(&s);
}
END_TEST

START_TEST(test_gates_are_copied)
{
  Student s = make_student(FALSE), gated = make_student(TRUE);
  passes_fill(gated.network, 8);
  const Outcome before = run(s.network);
  student_add_gates(&s, gated.network);
  for (guint i = 0; i < s.network->parameters->len; i++) {
    const Parameter *p = &g_array_index(s.network->parameters, Parameter, i);
    const Parameter *q = network_find(gated.network, p->name);
    const gboolean same = !memcmp(network_at(s.network, p->offset),
                                  network_at(gated.network, q->offset), p->n * sizeof(real));
    ck_assert_msg(same == (strstr(p->name, "_gate.") != NULL), "%s", p->name);
  }
  for (guint m = 2; m < N_MODULES; m++)
    bend(&s, m, TRUE);
  const Outcome after = run(s.network);
  check_same(&before, &after);
  student_clear(&s);
  student_clear(&gated);
}
END_TEST

/* ---- Classes ---- */

static char *write_teacher(const char *folder, const Description *d, Network **network)
{
  g_autoptr(GError) error = NULL;
  char *path = g_build_filename(folder, "teacher.safetensors", NULL);
  *network = network_new(d, FALSE);
  passes_fill(*network, 9);
  ck_assert(network_write(*network, VITGATE_PRECISION_FLOAT32, path, &error));
  return path;
}

/* @_i: whether there is a second head */
START_TEST(test_a_student_has_the_rows_of_its_classes)
{
  static const guint lists[][N_CLASSES] = { { 4, 0, 2 }, { 6, 5, 4, 3, 2, 1, 0 }, { 3, 6 } };
  static const guint counts[] = { 3, 7, 2 };
  char *folder = fixtures_folder();
  Description *d = describe(FALSE, _i);
  Network *teacher;
  g_autofree char *path = write_teacher(folder, d, &teacher);
  const Outcome whole = run(teacher);
  for (guint l = 0; l < G_N_ELEMENTS(lists); l++) {
    Student s = { 0 };
    g_autoptr(GError) error = NULL;
    ck_assert(student_load(&s, path, d, lists[l], counts[l], &error));
    ck_assert_uint_eq(s.description->n_classes, counts[l]);
    const Outcome some = run(s.network);
    for (guint i = 0; i < N_IMAGES; i++)
      for (guint c = 0; c < counts[l]; c++)
        ck_assert_float_eq_tol(some.logits[i * counts[l] + c],
                               whole.logits[i * N_CLASSES + lists[l][c]], SAME_FUNCTION);
    student_clear(&s);
    ck_assert_ptr_null(s.network);
    ck_assert_ptr_null(s.description);
  }
  network_free(&teacher);
  vitgate__description_free(&d);
  fixtures_remove(folder);
}
END_TEST

START_TEST(test_without_a_list_a_student_has_all_classes)
{
  char *folder = fixtures_folder();
  Description *d = describe(TRUE, TRUE);
  Network *teacher;
  Student s = { 0 };
  g_autoptr(GError) error = NULL;
  g_autofree char *path = write_teacher(folder, d, &teacher);
  ck_assert(student_load(&s, path, d, NULL, 0, &error));
  ck_assert_uint_eq(s.network->n_values, teacher->n_values);
  ck_assert_mem_eq(s.network->values, teacher->values, teacher->n_values * sizeof(real));
  student_clear(&s);
  network_free(&teacher);
  vitgate__description_free(&d);
  fixtures_remove(folder);
}
END_TEST

START_TEST(test_a_failed_load_leaves_the_student_unchanged)
{
  Student s = make_student(TRUE);
  const Student before = s;
  GError *error = NULL;
  ck_assert(!student_load(&s, "/nowhere/teacher", s.description, NULL, 0, &error));
  ck_assert(g_error_matches(error, VITGATE_ERROR, VITGATE_ERROR_NOT_FOUND));
  assert_error(error, "/nowhere/teacher");
  ck_assert_ptr_eq(s.network, before.network);
  ck_assert_ptr_eq(s.description, before.description);
  g_clear_error(&error);
  student_clear(&s);
}
END_TEST

int main(void)
{
  TCase *tcase = tcase_create("student");
  tcase_add_test(tcase, test_gates_with_spread_stay);
  tcase_add_loop_test(tcase, test_an_open_gate_is_removed_and_its_module_stays, 2, N_MODULES);
  tcase_add_loop_test(tcase, test_a_shut_gate_is_removed_with_its_module, 2, LAST_ATTENTION);
  tcase_add_loop_test(tcase, test_a_shut_gate_is_removed_with_its_module, LAST_ATTENTION + 1,
                      N_MODULES);
  tcase_add_test(tcase, test_several_gates_are_removed_at_once);
  tcase_add_test(tcase, test_the_last_attention_is_removed_if_no_gate_needs_it);
  tcase_add_test(tcase, test_the_note_names_the_module);
  tcase_add_test(tcase, test_thresholds_of_open_images_and_spread);
  tcase_add_test(tcase, test_gates_that_never_close_are_removed);
  tcase_add_test(tcase, test_modules_without_gates_are_unchanged);
  tcase_add_test(tcase, test_gates_are_added_where_they_pay);
  tcase_add_test(tcase, test_gates_are_copied);
  tcase_add_loop_test(tcase, test_a_student_has_the_rows_of_its_classes, FALSE, TRUE + 1);
  tcase_add_test(tcase, test_without_a_list_a_student_has_all_classes);
  tcase_add_test(tcase, test_a_failed_load_leaves_the_student_unchanged);
  tcase_add_test(tcase, test_the_last_attention_changes_no_other_gate);
  return fixtures_run(tcase, "student");
}
