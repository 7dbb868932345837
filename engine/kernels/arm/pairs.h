/* Tiles of the matrix instructions of AArch64, which multiply two rows of eight bytes by two
 * columns of eight bytes: shared by int8-i8mm.c and bf16.c.
 *
 * Rows are read as they are, one after the other, so each pair costs an instruction to bring
 * together. A tile is sixteen columns wide, which spreads that over eight products. */
#pragma once

#include <arm_neon.h>
#include <glib.h>

#define ROWS                   6 /* of a tile */
#define PANEL                  16
#define FOR_PAIRS(X)           X(0) X(1) X(2)
#define FOR_COLUMN_PAIRS(X)    X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define EACH_COLUMN_PAIR(p, X) X(p, 0) X(p, 1) X(p, 2) X(p, 3) X(p, 4) X(p, 5) X(p, 6) X(p, 7)

/* The second row of pair @p in a tile. The last row of an odd number is multiplied twice. */
#define SECOND_ROW(p, rows) ((rows) > 2 * (p) + 1 ? 2 * (p) + 1 : 2 * (p))

/* Returns: the next eight bytes of two rows. The asm keeps GCC 14 from LD1 of one lane, which needs
 * a pointer of its own and, in LLVM's models, more time than LDR and INS. */
static inline uint8x16_t load_pair(gconstpointer first, gconstpointer second)
{
  uint8x8_t high = vld1_u8(second);
  __asm__("" : "+w"(high));
  return vcombine_u8(vld1_u8(first), high);
}

/* @left, @right: sums of two rows by two columns, in lanes of 32 bits
 * Returns: row 0 or 1 of the four columns */
static inline int32x4_t join_sums(int32x4_t left, int32x4_t right, guint row)
{
  const int64x2_t l = vreinterpretq_s64_s32(left), r = vreinterpretq_s64_s32(right);
  return vreinterpretq_s32_s64(row ? vzip2q_s64(l, r) : vzip1q_s64(l, r));
}
