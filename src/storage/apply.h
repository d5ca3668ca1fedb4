/* apply.h: executes one operation in a view; see apply.c. */
#ifndef STORAGE_APPLY_H
#define STORAGE_APPLY_H

#include "view/view.h"

/* Executes op and writes its reply over its request.  Its hash is set. */
void storage_apply(struct view *view, struct op *op);

#endif
