# ENCORE_SANITIZERS
# --enable-sanitizers builds everything with AddressSanitizer and UndefinedBehaviorSanitizer; the
# flags go to SAN_CFLAGS, used for compiling and for linking.
AC_DEFUN([ENCORE_SANITIZERS], [
  AC_ARG_ENABLE([sanitizers],
    [AS_HELP_STRING([--enable-sanitizers], [build with ASan and UBSan (gcc)])])
  AS_VAR_IF([enable_sanitizers], [yes], [
    AX_CHECK_LINK_FLAG([-fsanitize=address,undefined],
      [SAN_CFLAGS="-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g -O1"],
      [AC_MSG_ERROR([this compiler cannot link with -fsanitize=address,undefined])])
  ])
  AC_SUBST([SAN_CFLAGS])
  AM_CONDITIONAL([SANITIZERS], [test "x$enable_sanitizers" = xyes])
])
