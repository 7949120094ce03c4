/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `user-service dev` prints on standard output: one line each, or with --json one object a line.
 *
 * Threads: any, once dev_output_start was called.
 */
#pragma once

#include "inbox.h"

void dev_output_start(bool is_json);
/* "api http://127.0.0.1:8000" or {"name":"api","value":"http://127.0.0.1:8000"} */
void dev_output_place(const char *name, const char *value);
/* "mail to=ADDRESS type=EVENT-TYPE link=URL", "-" for no link; or {"name":"mail","to":…} */
void dev_output_mail(const struct inbox_mail *mail);
