/* What vitgate eval reports of a model whose classes have a probability of their own. */
#pragma once

#include "data/classes.h"
#include "report/report.h"
#include "report/score-table.h"

typedef struct {
  const ScoreTable *scores;
  const Dataset *dataset;
  const Classes *classes;
  const VitgateModelInfo *info;
} SigmoidReport;

/* Adds the members "overall" and "folders". */
void eval_sigmoid_report(const SigmoidReport *report, JsonBuilder *json);

/* Prints the tables of folders and classes. */
void eval_sigmoid_print(const SigmoidReport *report);
