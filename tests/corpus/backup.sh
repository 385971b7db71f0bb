#!/usr/bin/env bash
set -euo pipefail

# Says something with the time.
log() { # [log
  printf '%s %s\n' "$(date +%T)" "$*" >&2
} # log]

# Copies what is new,
# and nothing else.
function backup { # [backup
  local from=$1 to=$2
  for file in "$from"/*; do
    if [[ -L $file ]]; then
      log "links are left where they are, they are not ours: $file"
      continue
    fi
    case $file in
      *.tmp) log "nobody needs a temporary file in a backup: $file" ;;
      *) cp -n -- "$file" "$to/" ;;
    esac
  done
  log "the backup of $from is in $to, and it was a pleasure to make it"
} # backup]

backup "$@"
