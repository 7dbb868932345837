/* plugin.c: registers vitgate's elements and metadata with GStreamer. */
#include <gst/gst.h>

#include "classify/gstvitgate.h"
#include "common/meta.h"
#include "overlay/gstvitgateoverlay.h"
#include "json/gstvitgatejson.h"

#define PACKAGE "vitgate"

static gboolean plugin_init(GstPlugin *plugin)
{
  gst_vitgate_meta_register();
  return GST_ELEMENT_REGISTER(vitgate, plugin) && GST_ELEMENT_REGISTER(vitgatejson, plugin) &&
         GST_ELEMENT_REGISTER(vitgateoverlay, plugin);
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, vitgate,
                  "Classifies video frames with a compressed, gated vision transformer",
                  plugin_init, VITGATE_VERSION, "MIT/X11", "vitgate", "Unknown package origin")
