/* SPDX-License-Identifier: MIT */
/* weft.h - all of weft. Each header also stands alone. */
#include "weft/base.h"
#include "weft/buffer.h"
#include "weft/error.h"
#include "weft/fiber.h"
#include "weft/loop.h"
#include "weft/memory.h"
#include "weft/pipe.h"
#include "weft/scope.h"
#include "weft/server.h"
#include "weft/stream.h"
#include "weft/tcp.h"
#include "weft/unix.h"
