# SPDX-License-Identifier: LGPL-2.1-or-later
# ENCORE_HOSTS: which of the hosts without packaged headers can be built.
AC_DEFUN([ENCORE_HOSTS], [
AC_ARG_WITH([eggdrop],
  [AS_HELP_STRING([--with-eggdrop=DIR], [build the module for eggdrop with the headers of this configured source tree of it])],
  [], [with_eggdrop=no])
AC_ARG_WITH([eggdropmoduledir],
  [AS_HELP_STRING([--with-eggdropmoduledir=DIR], [where eggdrop looks for modules (default: LIBDIR/eggdrop/modules)])],
  [eggdropmoduledir=$withval], [eggdropmoduledir='${libdir}/eggdrop/modules'])
AC_SUBST([eggdropmoduledir])
have_eggdrop=no
AS_VAR_IF([with_eggdrop], [no], [], [
  AS_IF([test -f "$with_eggdrop/src/mod/module.h" && test -f "$with_eggdrop/config.h"], [],
    [AC_MSG_ERROR([--with-eggdrop needs the directory of a configured source tree of eggdrop])])
  PKG_CHECK_MODULES([TCL], [tcl >= 8.5])
  EGGDROP_DIR=$(cd "$with_eggdrop" && pwd)
  have_eggdrop=yes])
AC_SUBST([EGGDROP_DIR])
AM_CONDITIONAL([HAVE_EGGDROP], [test "$have_eggdrop" = yes])
PKG_CHECK_MODULES([DPP], [dpp >= 10.1], [have_dpp=yes], [have_dpp=no])
AM_CONDITIONAL([HAVE_DPP], [test "$have_dpp" = yes])
AC_CHECK_HEADER([concord/discord.h],
  [AC_CHECK_LIB([discord], [ccord_shutdown_async], [have_concord=yes], [have_concord=no], [-lcurl -lpthread])],
  [have_concord=no])
AM_CONDITIONAL([HAVE_CONCORD], [test "$have_concord" = yes])
])
