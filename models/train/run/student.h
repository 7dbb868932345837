/* The network that becomes the student, from one stage to the next. */
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

/* Takes both in place of what *@student held. */
void student_take(Student *student, Network *network, Description *description);

/* The weights of the file at @path, of those classes alone.
 * @whole: what the file holds
 * @classes: (nullable) [n_classes] numbers among the file's classes; NULL: all of them
 * Returns: FALSE with VITGATE_ERROR_* */
gboolean student_load(Student *student, const char *path, const Description *whole,
                      const guint *classes, guint n_classes, GError **error);

/* Returns: whether a model can be trained to be like the teacher token by token */
gboolean student_is_alike(const Description *student, const Description *teacher);

/* Puts the units in order of importance and gives the network choices of structure.
 * @rankings: [2 depth] */
void student_search(Student *student, Ranking *const *rankings, gboolean gates);

/* The candidates with the largest alphas.
 * @shapes: (out caller-allocates): [depth] */
void student_chosen(const Student *student, BlockShape *shapes);

/* Gives every module of every block but the first a gate, unless it costs too little to be worth
 * one.
 * @from: (nullable): takes over the gates that it has */
void student_add_gates(Student *student, const Network *from);

gboolean student_has_gates(const Student *student);

/* Takes gates away that treat all images alike: a module that runs for most of them runs for all,
 * another is cut.
 * @sums: [2 * depth]
 * @least_spread: of a gate that stays
 * @notes: (element-type utf8): gets a line for each that goes */
void student_settle_gates(Student *student, const GateSum *sums, double least_spread,
                          GPtrArray *notes);

/* Removes the gates that were open for every image of @sums.
 * @notes: (element-type utf8): a line for each is added
 * Returns: FALSE where there are none; the student is as it was then */
gboolean student_open_idle_gates(Student *student, const GateSum *sums, GPtrArray *notes);
