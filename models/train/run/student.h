/* The student's network as it changes from stage to stage. */
#pragma once

#include "train/cut/static-cut.h"
#include "train/gates/gate-sums.h"

/* A network that owns its description. */
typedef struct {
  Description *description;
  Network *network;
} Student;

/* Frees what *@student holds. */
void student_clear(Student *student);

/* Replaces what *@student holds; takes ownership of both arguments. */
void student_take(Student *student, Network *network, Description *description);

/* Loads weights from the file at @path, with only some of its classes.
 * @whole: description of the file
 * @classes: (nullable) [n_classes] indices among the file's classes; NULL: all of them
 * Returns: FALSE with VITGATE_ERROR_* */
gboolean student_load(Student *student, const char *path, const Description *whole,
                      const guint *classes, guint n_classes, GError **error);

/* Prints a note if a model was taught: its student has other features. */
void student_note_taught(const char *path, const Description *whole);

/* Returns: whether a model can be trained to match the teacher token by token */
gboolean student_is_alike(const Description *student, const Description *teacher);

/* Puts the units in order of importance and adds choices of structure to the network.
 * @rankings: [2 depth]
 * @gates: add gates too */
void student_search(Student *student, Ranking *const *rankings, gboolean gates);

/* Finds the candidates with the largest alphas.
 * @shapes: (out caller-allocates): [depth] */
void student_chosen(const Student *student, BlockShape *shapes);

/* Adds a gate to every module of every block except the first, unless the module costs too little
 * to be worth one.
 * @from: (nullable): network to copy gates from */
void student_add_gates(Student *student, const Network *from);

gboolean student_has_gates(const Student *student);

/* Adds token gates with values of zero; see token_fit_shape().
 * Returns: how many */
guint student_add_token_gates(Student *student);

/* Removes all token gates. */
void student_remove_token_gates(Student *student);

/* Removes gates that treat all images alike. If the module ran for most images, it then always
 * runs; otherwise it is cut.
 * @sums: [2 * depth]
 * @least_spread: minimum spread of a gate that stays
 * @notes: (element-type utf8): a line is added for each removed gate */
void student_settle_gates(Student *student, const GateSum *sums, double least_spread,
                          GPtrArray *notes);

/* Removes the gates that were open for every image of @sums.
 * @notes: (element-type utf8): a line is added for each removed gate
 * Returns: FALSE if there are none; the student is then unchanged */
gboolean student_open_idle_gates(Student *student, const GateSum *sums, GPtrArray *notes);
