/* Writes protocol buffers, as far as ONNX needs them, by appending fields to a message. */
#pragma once

#include <glib.h>

/* @field: the field's number in its .proto */
void protobuf_add_int(GByteArray *message, guint field, guint64 value);
void protobuf_add_float(GByteArray *message, guint field, float value);
void protobuf_add_bytes(GByteArray *message, guint field, gconstpointer data, gsize n);
void protobuf_add_string(GByteArray *message, guint field, const char *text);

/* @inner: (transfer full): a message nested in @message */
void protobuf_add_message(GByteArray *message, guint field, GByteArray *inner);
