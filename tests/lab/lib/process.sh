# shellcheck shell=bash
# Processes that the lab leaves in the background, each named by a file with its id and its start time: an id alone
# may belong to somebody else's process after a reboot of this machine.

process_start_time() { awk '{ sub(/.*\) /, ""); print $20 }' "/proc/$1/stat" 2>/dev/null; }

process_record() { echo "$2 $(process_start_time "$2")" >"$1"; } # FILE PID

process_id() { # process_id FILE: prints the id if that very process still runs
  local pid started
  [[ -s $1 ]] && read -r pid started <"$1" || return 1
  [[ -n $started && $(process_start_time "$pid") == "$started" ]] && echo "$pid"
}

process_alive() { process_id "$1" >/dev/null; }

process_daemon() { # process_daemon NAME COMMAND...: in the background, log and pid file in the lab's directory
  local name=$1
  shift
  setsid "$@" </dev/null >>"$STATE/$name.log" 2>&1 &
  process_record "$STATE/$name.pid" $!
}

process_end() { # process_end FILE: TERM, and KILL after five seconds
  local pid _
  pid=$(process_id "$1") || { rm -f "$1"; return 0; }
  kill "$pid" 2>/dev/null || true
  for _ in {1..100}; do
    process_alive "$1" || break
    sleep 0.05
  done
  ! process_alive "$1" || kill -9 "$pid" 2>/dev/null || true
  rm -f "$1"
}
