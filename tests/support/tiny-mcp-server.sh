#!/bin/sh
# A script: an MCP server over stdio with one tool, `note`, which appends a line to the file that is its argument.
while read -r line; do
  id=${line##*\"id\":}
  id=${id%%[!0-9]*}
  case $line in
    *'"method":"initialize"'*)
      echo '{"jsonrpc":"2.0","id":'"$id"',"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"tiny","version":"1"}}}' ;;
    *'"method":"tools/list"'*)
      echo '{"jsonrpc":"2.0","id":'"$id"',"result":{"tools":[{"name":"note","inputSchema":{"type":"object"}}]}}' ;;
    *'"method":"tools/call"'*)
      echo noted >>"$1"
      echo '{"jsonrpc":"2.0","id":'"$id"',"result":{"content":[{"type":"text","text":"noted"}]}}' ;;
    *'"method":"ping"'*)
      echo '{"jsonrpc":"2.0","id":'"$id"',"result":{}}' ;;
  esac
done
