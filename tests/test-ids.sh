#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The vectors of ids/vectors.tsv through encore-cache id, a line each, and whether the installed yt-dlp
# still says what the table says of it.  Prints TAP.
set -uo pipefail
ids=$abs_top_srcdir/tests/ids
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
n=0
failed=0
ok () { # STATUS NAME
  n=$((n + 1))
  if [ "$1" = 0 ]; then echo "ok $n $2"; else echo "not ok $n $2"; failed=1; fi
}

# a text with a line feed is two lines to the tool: test-media-id has those
grep -vE '^# |\\012' "$ids/vectors.tsv" >"$dir/rows"
cut -f 1 "$dir/rows" | perl -pe 's/\\([0-7]{3})/chr oct $1/ge' >"$dir/texts"
"$abs_top_builddir/encore-cache" id <"$dir/texts" >"$dir/said"
ok $? "encore-cache id reads them all"
rows=$(wc -l <"$dir/rows")
[ "$(wc -l <"$dir/said")" = "$rows" ] && [ "$rows" -gt 400 ]; ok $? "one answer for each of $rows texts"
wrong=$(paste "$dir/rows" "$dir/said" | awk -F'\t' '{
  either = sub (/\?$/, "", $3)
  sub (/^youtube:/, "", $4)
  if ($4 != $3 && !(either && $4 == "-"))
    print "# " $4 " in " $1 ", must be " $3 (either ? " or none" : "")
}')
[ -z "$wrong" ]; ok $? "each is the id it must be"
[ -z "$wrong" ] || echo "$wrong"
awk -F'\t' '{ if ($3 == "-") none++; else if ($3 ~ /\?$/) either++; else id++ }
  END { exit !(id > 150 && none > 150 && either > 50) }' "$dir/rows"
ok $? "the table has ids, texts without, and doubtful ones"

PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "$ids/make-vectors.py" --check 2>"$dir/err"
case $? in
  77) n=$((n + 1)); echo "ok $n yt-dlp says what the table says # SKIP the table is of another version of yt-dlp" ;;
  0) ok 0 "yt-dlp says what the table says" ;;
  *) if grep -q 'ModuleNotFoundError' "$dir/err"; then
       n=$((n + 1)); echo "ok $n yt-dlp says what the table says # SKIP yt-dlp is not installed"
     else
       ok 1 "yt-dlp says what the table says"
       sed 's/^/# /' "$dir/err"
     fi ;;
esac
echo "1..$n"
exit $failed
