/* SPDX-License-Identifier: MIT */
/* weft.h - all of weft. Each header also stands alone. */
#include "weft/base.h"
#include "weft/buffer.h"
#include "weft/fiber.h"
#include "weft/loop.h"
