# shellcheck shell=bash
# Messages: what, where, what to do. All for people, so on stderr.

log() { printf '[lab %4ss] %s\n' "$SECONDS" "$*" >&2; }

SAID=3 # exit status of those who have said why

message_stopped() { # for a command that failed and may have said nothing about it
  (($1 != SAID)) || return 0
  printf 'error: stopped at %s:%s: %s\n' "${BASH_SOURCE[1]#"$HERE/"}" "${BASH_LINENO[0]}" "$BASH_COMMAND" >&2
}

die() { # die WHAT [HINT]
  printf 'error: %s\n' "$1" >&2
  [[ -z ${2:-} ]] || printf 'hint: %s\n' "$2" >&2
  exit $SAID
}

die_with_tail() { # die_with_tail FILE WHAT
  tail -n 15 "$1" >&2
  die "$2" "all of it is in $1"
}
