#include "write/protobuf.h"

#include <string.h>

/* The encoding of a field's value, stored in the low bits of the field's key. */
enum { VARINT = 0, LENGTH_DELIMITED = 2, FOUR_BYTES = 5 };

/* Seven bits per byte, lowest first. The high bit says that more bytes follow. */
static void add_varint(GByteArray *message, guint64 value)
{
  do {
    const guint8 byte = (value & 0x7f) | (value > 0x7f ? 0x80 : 0);
    g_byte_array_append(message, &byte, 1);
    value >>= 7;
  } while (value);
}

static void add_key(GByteArray *message, guint field, guint layout)
{
  add_varint(message, field << 3 | layout);
}

void protobuf_add_int(GByteArray *message, guint field, guint64 value)
{
  add_key(message, field, VARINT);
  add_varint(message, value);
}

void protobuf_add_float(GByteArray *message, guint field, float value)
{
  guint32 bits;
  memcpy(&bits, &value, sizeof bits);
  bits = GUINT32_TO_LE(bits);
  add_key(message, field, FOUR_BYTES);
  g_byte_array_append(message, (const guint8 *)&bits, sizeof bits);
}

void protobuf_add_bytes(GByteArray *message, guint field, gconstpointer data, gsize n)
{
  add_key(message, field, LENGTH_DELIMITED);
  add_varint(message, n);
  g_byte_array_append(message, data, (guint)n);
}

void protobuf_add_string(GByteArray *message, guint field, const char *text)
{
  protobuf_add_bytes(message, field, text, strlen(text));
}

void protobuf_add_message(GByteArray *message, guint field, GByteArray *inner)
{
  protobuf_add_bytes(message, field, inner->data, inner->len);
  g_byte_array_unref(inner);
}
