#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The systemd units: systemd takes them and finds little that is open, and what encore-bot and yt-dlp do in a miss
# and a hit is all within what the unit lets them.  Prints TAP.
. "$abs_top_srcdir/tests/lib.sh"
need systemd-analyze
unit=$top/data/encore-bot.service
exposure=14 # tenths; what it is today

# verify wants the program to be there
mkdir "$dir/units"
for name in encore-bot encore-bot@; do
  sed "s|^ExecStart=[^ ]*|ExecStart=$top/encore-bot|" "$top/data/$name.service" >"$dir/units/$name.service"
done
cp "$dir/units/encore-bot@.service" "$dir/units/encore-bot@jazz.service"
verify () { # UNIT
  systemd-analyze verify --man=no "$dir/units/$1" >"$dir/verify" 2>&1 && [ ! -s "$dir/verify" ] && return
  sed 's/^/# /' "$dir/verify"
  return 1
}
verify encore-bot.service; ok $? "systemd takes encore-bot.service"
verify encore-bot@jazz.service; ok $? "and the template"
! grep -n '@[a-z_]*@' "$top/data/encore-bot.service" "$top/data/encore-bot@.service" | grep -v '=@\|~@' | grep .; ok $? "nothing is left to be filled in"
grep -qE '^ExecStart=.*/encore/%i\.conf mumble$' "$top/data/encore-bot@.service"; ok $? "each of several bots has its own file"
if systemd-analyze security --offline=yes --threshold=100 "$dir/units/encore-bot.service" >"$dir/security" 2>&1; then
  systemd-analyze security --offline=yes --threshold=$exposure "$dir/units/encore-bot.service" >/dev/null 2>&1
  ok $? "systemd-analyze security: $(sed -n 's/.*level for encore-bot.service: \([0-9.]*\).*/\1/p' "$dir/security") of at most $((exposure / 10)).$((exposure % 10))"
  ! systemd-analyze security --offline=yes --threshold=$exposure <(sed /^CapabilityBoundingSet/d "$dir/units/encore-bot.service") >/dev/null 2>&1
else
  skip "this systemd-analyze cannot judge a file" "systemd-analyze security"
fi

# -- a miss and a hit below the unit's restrictions, as far as they can be had without systemd
for program in yt-dlp ffmpeg curl strace bwrap; do
  command -v $program >/dev/null || { skip "$program is not installed" "encore-bot within the unit"; finish; }
done
bwrap --ro-bind / / --dev /dev true 2>/dev/null || { skip "bwrap may not make name spaces here" "encore-bot within the unit"; finish; }
start_site
value () { sed -n "s/^$1=//p" "$unit"; }
mkdir -p "$dir/C/private/encore" "$dir/S/private/encore" "$dir/etc"
ln -s private/encore "$dir/C/encore"
ln -s private/encore "$dir/S/encore"
mapfile -t environment < <(value Environment | sed "s|%S|$dir/S|g; s|%C|$dir/C|g" | tr ' ' '\n')
printf '[bot]\nplugin=%s\n[encore]\nmin_free=0\nallow_private=yes\nytdlp=%s\n' "$ENCORE_MODULE" "$ytdlp" >"$dir/etc/bot.conf"
printf 'amy: ?play tuneAAAAAAA\namy: ?play enough loud\n' >"$dir/chat"
song () { # NAME: the test's own directory is read-only, but for state and cache
  env -u GST_REGISTRY_1_0 strace -f -qq -o "$dir/$1.trace" bwrap --ro-bind / / --dev /dev --proc /proc --tmpfs /var/tmp --tmpfs /home --tmpfs /run \
    --bind "$dir/S/private/encore" "$dir/S/private/encore" --bind "$dir/C/private/encore" "$dir/C/private/encore" \
    --unshare-user --uid 1000 --gid 1000 --unshare-ipc --unshare-uts --die-with-parent \
    env "${environment[@]}" timeout 100 "$top/encore-bot" --config "$dir/etc/bot.conf" --wait-idle console <"$dir/chat" >"$dir/$1.out" 2>"$dir/$1.log"
}
song miss && grep -q 'Playing: The Test Tune' "$dir/miss.out" && grep -q 'publish youtube:tuneAAAAAAA' "$dir/miss.log"
ok $? "a song is fetched and played where only state and cache may be written"
song hit && grep -q 'hit youtube:tuneAAAAAAA' "$dir/hit.log"; ok $? "and is a hit the next time"
[ -d "$dir/C/private/encore/opus" ]; ok $? "the cache is where the unit has it"

# what the program does from its own execve() on, after the sandbox is set up
calls () { for name in miss hit; do sed -n '/execve("[^"]*\/encore-bot"/,$p' "$dir/$name.trace"; done; }
allowed () { # the filter, sets replaced by their members
  local set sets=("$@")
  while [ ${#sets[@]} -gt 0 ]; do
    set=${sets[0]}
    sets=("${sets[@]:1}")
    case $set in
      @*) mapfile -t -O ${#sets[@]} sets < <(systemd-analyze syscall-filter --no-pager "$set" | sed '1,2d; /^ *#/d; s/^ *//; /^$/d') ;;
      *) echo "$set" ;;
    esac
  done | sort -u
}
mapfile -t filters < <(value SystemCallFilter)
# shellcheck disable=SC2086 # sets
allowed ${filters[0]} >"$dir/yes"
# shellcheck disable=SC2086
allowed ${filters[1]#\~} >"$dir/no"
comm -23 "$dir/yes" "$dir/no" >"$dir/filter"
# strace's names of the kernel's; what fails anyway is no loss
calls | sed -n 's/^[0-9]* *\(<\.\.\. \)\?\([a-z_0-9]*\)\((\| resumed>\).* = \(0x[0-9a-f]*\|[0-9]\+\)\b.*/\2/p' | sed 's/^pread$/pread64/; s/^pwrite$/pwrite64/; s/^umount$/umount2/' | sort -u >"$dir/called"
[ "$(wc -l <"$dir/called")" -gt 60 ] && grep -qx execve "$dir/called" && grep -qx setpriority "$dir/called" &&
  [ "$(wc -l <"$dir/filter")" -gt 200 ] && ! grep -qx mount "$dir/filter"
ok $? "$(wc -l <"$dir/called") system calls were seen, $(wc -l <"$dir/filter") are allowed"
comm -23 "$dir/called" "$dir/filter" >"$dir/refused"
[ ! -s "$dir/refused" ]; ok $? "none of them is outside SystemCallFilter"
sed 's/^/# /' "$dir/refused"
calls | grep -o 'socket(AF_[A-Z0-9]*' | sed 's/socket(//' | sort -u >"$dir/families"
value RestrictAddressFamilies | tr ' ' '\n' | sort -u >"$dir/families-allowed"
[ -s "$dir/families" ] && [ -z "$(comm -23 "$dir/families" "$dir/families-allowed")" ]; ok $? "no socket is of another family: $(paste -sd ' ' "$dir/families")"
finish
