/* Prints what was taught. */
#pragma once

#include "teach/lesson.h"

void lesson_report_text(const Lesson *lesson);

/* Prints a JSON object; "vitgate teach --help" lists its members. */
void lesson_report_json(const Lesson *lesson);
