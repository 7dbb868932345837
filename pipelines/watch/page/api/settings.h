/* GET, PATCH /api/v1/cameras/NAME/settings, POST .../settings/save */
#pragma once

#include "page/page.h"

typedef struct _SettingsApi SettingsApi;

SettingsApi *settings_api_new(Page *page);

/* *@self may be NULL. */
void settings_api_free(SettingsApi **self);
