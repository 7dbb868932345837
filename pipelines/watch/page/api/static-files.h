/* The files of the page itself, which are compiled in. */
#pragma once

#include "page/http/server.h"

void static_files_add(HttpServer *server);
