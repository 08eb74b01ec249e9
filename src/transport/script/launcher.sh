# The launcher: runs one op on a host so that neither a lost link nor a dead controller changes how it ends.
#
# POSIX sh and the base system only. Sent whole on standard input of the constant command line (see wire.rs) and never
# stored, except for a moment where systemd is to start it. Comments and indentation are stripped when it is sent, so
# a `#` begins a line or is not a comment. Nothing here may read standard input.
#
# Set before it: rb_n (nonce), rb_script (this text), rb_root rb_run rb_op rb_kind rb_limit (hundredths of a second)
# rb_over (runs that were given up) rb_long rb_stdin rb_boot_file, and the function rb_exec, which replaces its process by the op's program.
#
# One op is one directory, ROOT/RUN/OP:
#   started  created with O_EXCL by whoever runs the op, its first act: "BOOT PID BORN KIND DEADLINE"
#   pid      the op's process, which leads its own session: "PID BORN"
#   out err  its output; room for the first 64 KiB of a long op's `err` is kept, so that a full disk can be spoken of
#   out.end  the last of what was cut from `out`, where it grew too long; err.end the same
#   out.cut  how many bytes were cut from `out`; err.cut the same
#   expired  exists when the time limit ended it
#   note     what the shell said about the op's death
#   spare    empty; shows that there is room for all of these
#   room     blank, as long as a result, and on the disk before the op begins: an op that fills the disk still has one
#   status   the result, written into `room`, synced and renamed; nothing else is the result

# Builtins alone answer these, because a fork on the host costs more than everything else in this file.

rb_now() {
  read -r rb_up rb_rest </proc/uptime
  rb_up=${rb_up%.*}${rb_up#*.}
}

# Sets rb_pid and rb_born (start time in ticks since boot) of the process that asks; $$ is the parent's in a subshell.
rb_self() {
  read -r rb_line </proc/self/stat
  rb_pid=${rb_line%% *}
  rb_stat
}

# Sets rb_state, rb_parent, rb_session and rb_born from rb_line; the second field may hold blanks and parentheses.
rb_stat() {
  set -- ${rb_line##*) }
  rb_state=$1 rb_parent=$2 rb_session=$4
  shift 19
  rb_born=$1
}

# Whether process $1, born at $2, lives. A pid alone may have been given to another process since.
rb_lives() {
  [ -n "$2" ] || return 1
  { read -r rb_line <"/proc/$1/stat"; } 2>/dev/null || return 1
  rb_stat
  [ "$rb_born" = "$2" ] && [ "$rb_state" != Z ]
}

rb_mark() { printf '\n%s %s\n' "$rb_n" "$*"; }

# The answer. Both streams end with a mark, so that the reader knows that it has all of both.
rb_end() {
  rb_mark end >&2
  rb_mark end "$@"
  exit 0
}

rb_fail() { rb_end fail "$@"; }

# Whether the disk of ROOT is full, and its own words for that in rb_words. Only asked after something failed.
rb_full() {
  rb_words=$(LC_ALL=C dd if=/dev/zero of="$rb_root/full.$$" bs=4096 count=8 2>&1)
  rm -f "$rb_root/full.$$"
  case $rb_words in
  *"No space left on device"*) rb_words="No space left on device" ;;
  *"Disk quota exceeded"*) rb_words="Disk quota exceeded" ;;
  *) rb_words= ;;
  esac
  [ -n "$rb_words" ]
}

# What could not be written, and why as far as that is known.
rb_unwritten() {
  if rb_full; then rb_fail "$1: $rb_words"; fi
  rb_fail "$1; is the disk full?"
}

# An op that failed on a full disk could not write down that it is full. Whoever follows it reads so.
rb_tell_full() {
  rb_full || return 0
  [ -n "$rb_error_begun" ] || rb_mark begin >&2
  rb_error_begun=1
  printf 'the disk of %s is full: %s\n' "$rb_root" "$rb_words" >&2
}

# --- The directories ---

# Enters ROOT. An open directory or a link could be somebody else's; what we made under umask 077 is not looked at again.
rb_enter() {
  if [ ! -e "$rb_root" ]; then mkdir -p "$rb_root" || rb_fail "cannot make the directory $rb_root"; fi
  [ ! -L "$rb_root" ] || rb_fail "$rb_root is a symbolic link; remove it or set another remote_dir"
  cd "$rb_root" 2>/dev/null || rb_fail "cannot enter $rb_root"
  [ -O . ] || rb_fail "$rb_root belongs to another user"
}

rb_make_run() {
  case $(ls -ld .) in
  drwx------*) ;;
  *) rb_fail "$rb_root is open to others; as its owner, run there: chmod 700 $rb_root" ;;
  esac
  mkdir "$rb_run" 2>/dev/null || [ -d "$rb_run" ] || rb_unwritten "cannot make $rb_root/$rb_run"
}

rb_make() {
  rb_enter
  [ -d "$rb_run" ] || rb_make_run
  [ ! -L "$rb_run" ] && [ -O "$rb_run" ] || rb_fail "$rb_root/$rb_run is not ours"
  if [ ! -d "$rb_run/$rb_op" ]; then
    mkdir "$rb_run/$rb_op" 2>/dev/null || [ -d "$rb_run/$rb_op" ] ||
      rb_unwritten "cannot make $rb_root/$rb_run/$rb_op"
  fi
  [ ! -L "$rb_run/$rb_op" ] || rb_fail "$rb_root/$rb_run/$rb_op is a symbolic link"
  rb_dir=$rb_root/$rb_run/$rb_op
}

# --- The claim ---

# One run at a time works on a host. A run claims and then looks at what others started; an op is marked as started
# and then looks at the claim. Whatever the order, at least one of two runs sees the other.
rb_claim() {
  rb_gone=
  { read -r rb_gone <over; } 2>/dev/null
  case " $rb_gone " in *" $rb_run "*) rb_end over ;; esac
  rb_holder=
  { read -r rb_holder <claim; } 2>/dev/null
  [ "$rb_holder" != "$rb_run" ] || return 0
  [ -z "$rb_over" ] || rb_give_up
  rb_take "$rb_run"
  for rb_other in */*/started; do
    rb_other=${rb_other%/started}
    case $rb_other in "$rb_run"/* | '*/*') continue ;; esac
    [ ! -e "$rb_other/status" ] && rb_running "$rb_other" || continue
    rb_take "${rb_other%/*}"
    rb_end busy "${rb_other%/*}"
  done
}

# Writes down the runs that were given up, before the claim: an op of theirs that is on its way finds one or the other.
rb_give_up() {
  for rb_each in $rb_over; do
    case " $rb_gone " in *" $rb_each "*) ;; *) rb_gone="$rb_gone $rb_each" ;; esac
  done
  rb_self
  printf '%s\n' "$rb_gone" >"over.$rb_pid" && mv "over.$rb_pid" over || rb_unwritten "cannot write $rb_root/over"
}

rb_take() {
  rb_self
  printf '%s\n' "$1" >"claim.$rb_pid" && mv "claim.$rb_pid" claim || rb_unwritten "cannot write $rb_root/claim"
}

# Whether the op in directory $1 goes on: its launcher or, where that was killed, its own process lives.
rb_running() {
  rb_boot= rb_who= rb_since= rb_what= rb_deadline=
  { read -r rb_boot rb_who rb_since rb_what rb_deadline <"$1/started"; } 2>/dev/null
  read -r rb_booted <"$rb_boot_file"
  [ "$rb_boot" = "$rb_booted" ] || return 1
  rb_lives "$rb_who" "$rb_since" && return 0
  rb_who= rb_since=
  { read -r rb_who rb_since <"$1/pid"; } 2>/dev/null
  rb_lives "$rb_who" "$rb_since"
}

# --- The process tree ---

# Sets rb_tree: every process of the op's session, every descendant of one, and who was in rb_tree before and lives:
# a child in a session of its own is known by its parent only as long as that lives.
rb_find_tree() {
  rb_known="$1 $rb_tree"
  rb_tree=
  rb_again=1
  while [ -n "$rb_again" ]; do
    rb_again=
    for rb_file in /proc/[0-9]*/stat; do
      { read -r rb_line <"$rb_file"; } 2>/dev/null || continue
      rb_each=${rb_line%% *}
      case " $rb_tree " in *" $rb_each "*) continue ;; esac
      rb_stat
      [ "$rb_state" != Z ] || continue
      case " $rb_known $rb_tree " in
      *" $rb_parent "* | *" $rb_each "*) ;;
      *) [ "$rb_session" = "$1" ] || continue ;;
      esac
      rb_tree="$rb_tree $rb_each"
      rb_again=1
    done
  done
}

# Ends the tree of the op whose process is $1: asks, and after five seconds insists.
rb_end_tree() {
  rb_tree=
  for rb_signal in TERM KILL; do
    rb_find_tree "$1"
    [ -n "$rb_tree" ] || return 0
    kill -s "$rb_signal" $rb_tree 2>/dev/null
    rb_now
    rb_until=$((rb_up + 500))
    while [ -n "$rb_tree" ] && [ "$rb_up" -lt "$rb_until" ]; do
      sleep 0.1 || sleep 1
      rb_find_tree "$1"
      rb_now
      # What was just forked has not heard it.
      [ "$rb_signal" = TERM ] || [ -z "$rb_tree" ] || kill -s KILL $rb_tree 2>/dev/null
    done
  done
}

# --- The op ---

# Runs the op and writes its status. Its standard output is a pipe to whoever follows: a line per tick, and its end.
# It outlives the session: it ignores what ends the session, and neither it nor the op writes anything to the link.
rb_supervise() {
  trap '' HUP INT QUIT TERM PIPE
  read -r rb_boot <"$rb_boot_file"
  rb_now
  rb_self
  rb_deadline=$((rb_up + rb_limit))
  set -C
  { printf '%s %s %s %s %s\n' "$rb_boot" "$rb_pid" "$rb_born" "$rb_kind" "$rb_deadline" >"$rb_dir/started"; } 2>/dev/null ||
    exit 0
  set +C
  # A power cut must not take back that the op began.
  sync "$rb_dir/started" "$rb_dir/room" || {
    rb_settle never
    exit 0
  }
  { read -r rb_holder <claim; } 2>/dev/null
  if [ "$rb_holder" != "$rb_run" ]; then
    rb_settle "busy $rb_holder"
    exit 0
  fi
  rb_watch 2>/dev/null &
  rb_watcher=$!
  if [ -n "$rb_stdin" ]; then
    rb_feed 2>/dev/null | (rb_start)
  else
    (rb_start) </dev/null
  fi
  rb_code=$?
  rb_death=
  [ ! -s "$rb_dir/note" ] || rb_death=1
  rb_late=
  if [ -e "$rb_dir/expired" ]; then
    # The watch is ending the tree, and it alone knows all of it.
    rb_late=1
    wait "$rb_watcher"
  else
    # KILL: a watch that has just begun still ignores everything else.
    kill -s KILL "$rb_watcher"
  fi
  # Before the result, with which whoever follows passes on what is left.
  rb_trim
  rb_judge
}

# Through a pipe and never through a file: standard input may hold secrets.
rb_feed() {
  trap - PIPE
  printf '%b' "$rb_stdin"
}

rb_start() {
  trap - HUP INT QUIT TERM PIPE
  rb_self
  # What cannot be found again could not be ended either.
  printf '%s %s\n' "$rb_pid" "$rb_born" >"$rb_dir/pid" || exit 125
  exec >>"$rb_dir/out" 2>>"$rb_dir/err"
  umask 022
  cd /
  rb_exec
}

# A shell gives 128 + N for a program that signal N ended and for one that exits so. dash and busybox speak of a
# death, except by INT and PIPE; bash does not, and there the usual meaning has to do.
rb_judge() {
  if [ -n "$rb_late" ]; then
    rb_settle timeout
  elif [ "$rb_code" = 0 ] && [ "$rb_kind" = reboot ]; then
    return
  elif [ "$rb_code" -gt 128 ] && [ "$rb_code" -le 192 ] && rb_was_killed; then
    rb_settle "signal $((rb_code - 128))"
  else
    rb_settle "code $rb_code"
  fi
}

rb_was_killed() {
  [ -n "$rb_death" ] || [ -n "$BASH_VERSION" ] || [ "$rb_code" = 130 ] || [ "$rb_code" = 141 ]
}

rb_settle() {
  printf '%-63s\n' "$1" 1<>"$rb_dir/room" && sync "$rb_dir/room" && mv "$rb_dir/room" "$rb_dir/status"
}

# Ticks, trims the output, and ends the op at its time limit, also where the launcher itself was killed. The ticks stop after some hours without a reader: a full
# pipe would stop the watch itself.
rb_watch() {
  rb_launcher=$rb_pid rb_launched=$rb_born
  rb_tick=0
  while [ ! -e "$rb_dir/status" ]; do
    # Nobody will write the op's end down, and whoever follows it waits for this pipe to close.
    if ! rb_lives "$rb_launcher" "$rb_launched"; then
      rb_op_process && rb_lives "$rb_who" "$rb_since" || exit 0
    fi
    rb_now
    rb_left=$((rb_deadline - rb_up))
    if [ "$rb_left" -le 0 ]; then
      : >"$rb_dir/expired"
      until rb_op_process; do sleep 0.1 || sleep 1; done
      rb_end_tree "$rb_who"
      exit 0
    fi
    rb_pause=5
    [ "$rb_tick" -gt 3 ] || rb_pause=$((rb_tick + 1))
    [ "$rb_left" -ge $((rb_pause * 10)) ] || rb_pause=1
    sleep "0.$rb_pause" >/dev/null || sleep 1 >/dev/null
    rb_tick=$((rb_tick + 1))
    [ "$rb_tick" -gt 20000 ] || echo
    [ "$rb_tick" -lt 5 ] || rb_trim
  done
}

rb_op_process() {
  rb_who= rb_since=
  { read -r rb_who rb_since <"$rb_dir/pid"; } 2>/dev/null
  [ -n "$rb_since" ]
}

# Keeps 8 MiB of each stream: the first 4, and the last 2 to 4. The op writes to files of its own, not to a pipe that we
# would read: a daemon that it leaves behind may hold a pipe open for ever. So the cut comes after the fact, and a file may
# be larger for a second. What is behind the first 4 MiB goes, its last 2 MiB into a file beside it.
rb_trim() {
  [ -s "$rb_dir/out" ] || [ -s "$rb_dir/err" ] || return 0
  for rb_file in $(find "$rb_dir/out" "$rb_dir/err" -size +12288 2>/dev/null); do
    rb_size=$(wc -c <"$rb_file") rb_cut=0
    { read -r rb_cut <"$rb_file.cut"; } 2>/dev/null
    # On a full disk the end is lost; what the op says from here on is not.
    tail -c 2097152 "$rb_file" 2>/dev/null >"$rb_file.end.new" && mv "$rb_file.end.new" "$rb_file.end" ||
      rm -f "$rb_file.end.new" "$rb_file.end"
    echo $((rb_cut + rb_size - 4194304)) >"$rb_file.cut.new"
    dd if=/dev/null of="$rb_file" bs=1048576 seek=4 2>/dev/null
    mv "$rb_file.cut.new" "$rb_file.cut"
  done
  # The watch was ended between its cut and the note of it.
  for rb_file in "$rb_dir"/*.cut.new; do
    [ ! -e "$rb_file" ] || mv "$rb_file" "${rb_file%.new}"
  done
}

# --- Starting ---

# A transient unit outlives even a session manager that kills what a session leaves, and its control group holds every
# process. Where that does not work out, the op runs under this shell: `started` lets only one of the two run it.
rb_unit() {
  [ "$rb_long" = 1 ] && [ -d /run/systemd/system ] && [ -O /run/systemd/system ] || return 1
  command -v systemd-run >/dev/null || return 1
  { printf 'rb_verb=unit\nrb_n=\n' && printf '%s\n' "$rb_script"; } >"$rb_dir/cmd" || return 1
  for rb_type in exec simple; do
    systemd-run --quiet --no-ask-password --collect --unit="rollbook-$rb_run-$rb_op" \
      --description="Rollbook run $rb_run, op $rb_op" --property="Type=$rb_type" \
      --property="RuntimeMaxSec=$((rb_limit / 100 + 60))" --property=TimeoutStopSec=10 \
      --property=KillMode=control-group --setenv=rb_root="$rb_root" --setenv=HOME="$HOME" --setenv=USER="$USER" --setenv=LOGNAME="$LOGNAME" \
      ${http_proxy+--setenv=http_proxy="$http_proxy"} ${https_proxy+--setenv=https_proxy="$https_proxy"} \
      ${no_proxy+--setenv=no_proxy="$no_proxy"} ${HTTP_PROXY+--setenv=HTTP_PROXY="$HTTP_PROXY"} \
      ${HTTPS_PROXY+--setenv=HTTPS_PROXY="$HTTPS_PROXY"} ${NO_PROXY+--setenv=NO_PROXY="$NO_PROXY"} \
      /bin/sh "$rb_dir/cmd" </dev/null >/dev/null 2>"$rb_dir/unit" && return 0
  done
  rm -f "$rb_dir/cmd"
  return 1
}

rb_here() {
  rb_supervise 5<&- 6<&- </dev/null 2>"$rb_dir/note" | { rb_relay; rb_follow; }
  exit 0
}

# Passes output on at every tick, and once more when the launcher has ended.
rb_relay() {
  while read -r rb_line; do rb_pass; done
}

rb_pass() {
  [ ! -s "$rb_dir/out" ] || rb_head 5 <&5
  [ ! -s "$rb_dir/err" ] || { rb_begin_error && rb_head 6 <&6 >&2; }
}

# A stream without output needs no mark before its last: most ops say nothing here, and each mark is a packet that the
# controller has to take.
rb_begin_error() {
  [ -n "$rb_error_begun" ] || rb_mark begin >&2
  rb_error_begun=1
}

# Passes standard input on, which is descriptor $1, too, but nothing behind its first 4 MiB: those stay as they are, and
# what follows may be cut yet. A read of a file gives whole blocks, so that the last one ends there, too.
rb_head() {
  while read -r rb_word rb_at; do
    [ "$rb_word" != pos: ] || break
  done <"/proc/self/fdinfo/$1"
  [ "$rb_at" -lt 4194304 ] || return 0
  rb_blocks=$(((4194304 - rb_at) / 65536))
  if [ "$rb_blocks" -gt 0 ]; then
    dd bs=65536 count="$rb_blocks" 2>/dev/null
  else
    dd bs=$((4194304 - rb_at)) count=1 2>/dev/null
  fi
}

# Passes on what is there when the op has ended, and nothing is cut any more.
rb_pass_all() {
  # Blocks first, and then what is less than one.
  if [ -e "$rb_dir/out.cut" ] || [ -e "$rb_dir/err.cut" ]; then rb_pass && rb_pass; fi
  [ ! -s "$rb_dir/out" ] || rb_rest "$rb_dir/out" <&5
  [ ! -s "$rb_dir/err" ] || { rb_begin_error && rb_rest "$rb_dir/err" <&6 >&2; }
}

rb_rest() {
  if [ -e "$1.cut" ]; then
    rb_cut= rb_size=0
    read -r rb_cut <"$1.cut"
    [ ! -e "$1.end" ] || rb_size=$(wc -c <"$1.end")
    printf '\n[… %s bytes left out …]\n' "$((rb_cut - rb_size))"
    [ ! -e "$1.end" ] || cat "$1.end"
  fi
  cat
}

rb_open() {
  exec 5<"$rb_dir/out" 6<"$rb_dir/err"
}

rb_launch() {
  command -v setsid >/dev/null || rb_fail "there is no setsid on this host; install util-linux"
  rb_make
  rb_claim
  : >>"$rb_dir/out"
  : >>"$rb_dir/err"
  rb_open
  if [ ! -e "$rb_dir/started" ]; then
    rb_make_room
    rb_unit || rb_here
  fi
  rb_follow
}

# Before the op begins: where there is no room for its result, nothing runs.
rb_make_room() {
  # Linked when it is whole: of two controllers that send the same start, neither sees half of the other's.
  { printf '%63s\n' '' >"$rb_dir/room.$$"; } 2>/dev/null
  [ -s "$rb_dir/room.$$" ] && ln "$rb_dir/room.$$" "$rb_dir/room" 2>/dev/null
  rm -f "$rb_dir/room.$$"
  # `started` and `pid` are written next: a beginning that cannot be written down would look like one that was cut off.
  { printf '%16384s' '' >"$rb_dir/spare"; } 2>/dev/null && [ -s "$rb_dir/room" ]
  rb_room=$?
  : >"$rb_dir/spare"
  # What apt or kubeadm says of a disk that fills up has room as well; where there is no fallocate, it may be lost.
  [ "$rb_long" != 1 ] || fallocate -n -l 65536 "$rb_dir/err" 2>/dev/null
  [ "$rb_room" != 0 ] && [ ! -e "$rb_dir/started" ] || return 0
  rm -f "$rb_dir/room"
  rb_unwritten "cannot write $rb_dir"
}

# --- Following ---

# Waits for the status, passes the output on, and answers.
rb_follow() {
  rb_wait=1
  while [ ! -e "$rb_dir/status" ]; do
    rb_running "$rb_run/$rb_op" || [ -e "$rb_dir/status" ] || rb_orphan
    sleep "0.0$rb_wait" || sleep 1
    [ "$rb_wait" -ge 5 ] || rb_wait=$((rb_wait + 1))
    [ "$rb_wait" -lt 5 ] || sleep 0.2
    rb_pass
  done
  rb_pass_all
  read -r rb_status <"$rb_dir/status"
  case $rb_status in
  "code 0" | never* | busy*) ;;
  *) rb_tell_full ;;
  esac
  rb_end $rb_status
}

# Nothing of the op lives and there is no status. A launcher that was just sent may not have begun, so absence counts
# only when it lasts.
rb_orphan() {
  if [ -z "$rb_boot" ]; then
    rb_absent=$((${rb_absent:-0} + 1))
    [ "$rb_absent" -gt 40 ] || return 0
  fi
  rb_pass_all
  [ "$rb_what" = reboot ] || rb_end interrupted
  [ "$rb_boot" = "$rb_booted" ] || rb_end code 0
  rb_now
  [ "$rb_up" -lt "$rb_deadline" ] || rb_end timeout
  rb_end rebooting
}

rb_attach() {
  [ -d "$rb_root" ] || rb_end never
  rb_enter
  rb_dir=$rb_root/$rb_run/$rb_op
  [ -e "$rb_dir/started" ] || rb_end never
  rb_open
  rb_follow
}

# Ends an op; one that has not begun never will.
rb_stop() {
  rb_make
  set -C
  if { printf 'never 0 0 exec 0\n' >"$rb_dir/started"; } 2>/dev/null; then
    set +C
    rb_settle never
    rb_end stopped
  fi
  set +C
  rb_tries=0
  while [ ! -e "$rb_dir/status" ] && rb_running "$rb_run/$rb_op" && [ "$rb_tries" -lt 100 ]; do
    if rb_op_process; then rb_end_tree "$rb_who"; fi
    sleep 0.1 || sleep 1
    rb_tries=$((rb_tries + 1))
  done
  [ "$rb_tries" -lt 100 ] || rb_fail "the op does not end"
  rb_end stopped
}

# Empties the output of an op that has ended. Its result stays.
rb_hush() {
  [ -d "$rb_root" ] || rb_end hushed
  rb_enter
  rb_dir=$rb_root/$rb_run/$rb_op
  if [ -e "$rb_dir/status" ]; then
    { : >"$rb_dir/out" && : >"$rb_dir/err"; } 2>/dev/null || rb_fail "cannot empty the output in $rb_dir"
  fi
  rb_end hushed
}

# Removes the directories of the runs in the list, as far as nothing of them goes on.
rb_prune() {
  [ -d "$rb_root" ] || rb_end pruned
  rb_enter
  rb_kept=
  for rb_old in $rb_over; do
    [ -d "$rb_old" ] && [ ! -L "$rb_old" ] || continue
    rb_alive=
    for rb_other in "$rb_old"/*/started; do
      [ -e "$rb_other" ] && [ ! -e "${rb_other%started}status" ] && rb_running "${rb_other%/started}" && rb_alive=1
    done
    [ -n "$rb_alive" ] || rm -rf "./$rb_old" 2>/dev/null || rb_kept="$rb_kept $rb_old"
  done
  [ -z "$rb_kept" ] || rb_fail "cannot remove$rb_kept in $rb_root"
  rb_end pruned
}

umask 077
if [ "$rb_verb" = unit ]; then
  rb_dir=$rb_root/$rb_run/$rb_op
  cd "$rb_root" && rm -f "$rb_dir/cmd" && exec 2>"$rb_dir/note"
  rb_supervise >/dev/null
  exit 0
fi
rb_error_begun=
rb_mark begin
case $rb_verb in
launch) rb_launch ;;
attach) rb_attach ;;
stop) rb_stop ;;
prune) rb_prune ;;
hush) rb_hush ;;
esac
