#include "network/families/families.h"

/* The plain ViT comes last: its errors name what every network has. */
const Family *const vitgate__families[] = {
  &vitgate__family_t2t_performer,
  &vitgate__family_t2t_transformer,
  &vitgate__family_vit,
  NULL,
};
