/* SPDX-License-Identifier: GPL-3.0-or-later
 * WeeChat's header, with its handle under a name of our own: WeeChat loads plugins with
 * RTLD_GLOBAL, and two of them that both call it weechat_plugin would share one. */
#pragma once

#define weechat_plugin weechat_encore_plugin
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wstrict-prototypes" /* it has some without */
#include <weechat-plugin.h>
#pragma GCC diagnostic pop

extern struct t_weechat_plugin *weechat_encore_plugin;
