/* What experiments change in a session. */
#pragma once

#include "network/logit-control.h"

/* Makes the token gates of later calls decide by other logits than the image's own. The control
 * starts without any image. */
void vitgate__session_set_gate_control(VitgateSession *session, LogitControlKind kind);
