/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small numbers for label values, so that the labels of a series fit into one word. Used by metrics
 * alone.
 *
 * Ownership: keeps the pointers that it is given, which must stay for ever.
 * Threads: any, without locks: a new value is one compare-and-swap of a pointer.
 * Errors: a value that finds no place becomes METRICS_LABEL_OTHER.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { METRICS_LABEL_BITS = 16, METRICS_LABEL_OTHER = 0xFFFF };

/* Never 0. Equal texts have equal numbers. */
uint64_t metrics_label_number(const char *text);
/* "_other" for METRICS_LABEL_OTHER. */
const char *metrics_label_text(uint64_t number);
