/* The families of the engine; families.c puts them into vitgate__families (file/family.h). To add
 * one, write its file and add it here and there. */
#pragma once

#include "file/family.h"

extern const Family vitgate__family_vit;
extern const Family vitgate__family_t2t_performer, vitgate__family_t2t_transformer;
