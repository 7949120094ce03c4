/* SPDX-License-Identifier: Apache-2.0 */
#include "dev_output.h"

#include <stdio.h>

#include "json_out.h"

enum { LINE_BYTES_MAX = 8192 };

static bool as_json;

void dev_output_start(bool is_json)
{
    as_json = is_json;
}

static void print_line(struct buf *line)
{
    (void)printf("%.*s\n", STR_ARG(buf_str(line)));
    (void)fflush(stdout);
}

void dev_output_place(const char *name, const char *value)
{
    char memory[LINE_BYTES_MAX];
    struct buf line = buf_over(memory, sizeof(memory));
    struct json_out json = json_out_to(&line);

    if (!as_json) {
        buf_printf(&line, "%s %s", name, value);
        print_line(&line);
        return;
    }
    json_object(&json);
    json_member_str(&json, "name", str_from(name));
    json_member_str(&json, "value", str_from(value));
    json_object_end(&json);
    print_line(&line);
}

void dev_output_mail(const struct inbox_mail *mail)
{
    char memory[LINE_BYTES_MAX];
    struct buf line = buf_over(memory, sizeof(memory));
    struct json_out json = json_out_to(&line);
    struct str link = mail->link.len > 0 ? mail->link : STR("-");

    if (!as_json) {
        buf_printf(&line, "mail to=%.*s type=%.*s link=%.*s", STR_ARG(mail->to),
                   STR_ARG(mail->type), STR_ARG(link));
        print_line(&line);
        return;
    }
    json_object(&json);
    json_member_str(&json, "name", STR("mail"));
    json_member_str(&json, "to", mail->to);
    json_member_str(&json, "type", mail->type);
    json_member_str_or_null(&json, "link", mail->link);
    json_object_end(&json);
    print_line(&line);
}
