#include "reference-unknown.h"

#include <math.h>

#include "file/architecture.h"
#include "fixture.h"

void reference_add_unknown(Description *d)
{
  const double typical = 0.3 * vitgate__description_head_inputs(d);
  d->unknown = (UnknownScale){ TRUE, typical, 1.4 * typical };
}

double reference_unknown(ModelFile *file, const Description *d, const double *features,
                         double *macs)
{
  if (!d->unknown.present)
    return 0;
  const guint n = d->dim * (d->distilled && !d->class_head_only ? 2 : 1);
  const float *w = model_file_find(file, "unknown.whitening")->data,
              *means = model_file_find(file, "unknown.means")->data;
  double nearest = INFINITY;
  for (guint c = 0; c < d->n_classes; c++) {
    double squares = 0;
    for (guint i = 0; i < n; i++) {
      double whitened = 0;
      for (guint j = 0; j < n; j++)
        whitened += (double)w[i * n + j] * features[j];
      squares += pow(whitened - means[c * n + i], 2);
    }
    nearest = fmin(nearest, sqrt(squares));
  }
  *macs += (double)n * n + (double)n * d->n_classes;
  const double s = (log(d->unknown.limit) - log(d->unknown.median)) / 1.6448536269514722;
  return 0.5 * (1 + erf((log(nearest) - log(d->unknown.median)) / s / sqrt(2)));
}

void reference_check_features(const VitgateResult *found, const double *features, double unknown,
                              const Description *d, const char *what)
{
  for (guint i = 0; i < vitgate__description_head_inputs(d); i++)
    assert_each(fabs(found->features[i] - features[i]) <= FEATURE_TOLERANCE,
                "%s, feature %u: %.7g, expected %.7g", what, i, found->features[i], features[i]);
  assert_each(fabs(found->unknown - unknown) <= FEATURE_TOLERANCE,
              "%s: unknown %.7g, expected %.7g", what, found->unknown, unknown);
}
