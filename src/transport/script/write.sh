# Replaces file $1 by standard input: mode $2, owner $3 (as it is when empty), temporary name suffix $4.
# The new file is made beside the old one, so that the rename is atomic and a security label is the directory's own.
umask 077
rb_new=${1%/*}/.${1##*/}.$4
if [ -d "$1" ]; then
  echo "$1 is a directory" >&2
  exit 1
fi
rb_owner=$3
if [ -z "$rb_owner" ] && [ -e "$1" ]; then rb_owner=$(stat -c %u:%g "$1") || exit 1; fi
rm -f "$rb_new" && cat >"$rb_new" || exit 1
if { [ -z "$rb_owner" ] || chown "$rb_owner" "$rb_new"; } && chmod "$2" "$rb_new" && sync "$rb_new" && mv -f "$rb_new" "$1"; then
  exit 0
fi
rm -f "$rb_new"
exit 1
