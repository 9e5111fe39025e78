# The template `host`: the machine's programs, and nothing else of it.
load common

@test "the top of the filesystem is what every Linux has" {
  run_cay -- ls /
  for name in "${lines[@]}"; do
    case $name in
      bin | dev | etc | home | lib | lib32 | lib64 | libx32 | media | mnt | opt | proc | root | run | sbin | srv | sys | tmp | usr | var | workspace) ;;
      *) echo "what is /$name?" >&2; return 1 ;;
    esac
  done
}

@test "secrets and the machine's identity are not there" {
  run_cay -- sh -c 'ls -d /etc/shadow /etc/gshadow /etc/ssh /etc/machine-id /etc/ssl/private /etc/sudoers \
    /etc/environment /etc/profile.d /etc/crontab /var/log/* /var/lib/* /home/* /mnt/* /opt/* /srv/* /boot 2> /dev/null'
  [[ $output == /home/user ]]
}

@test "the users are root, user and nobody" {
  run_cay -- cut -d: -f1 /etc/passwd
  [[ ${lines[*]} == "root user nobody" ]]
}

@test "nothing of /etc but what Cay wrote differs from the machine's" {
  run_cay -- sh -c 'cd /etc && find . -type f ! -path "./passwd" ! -path "./group" ! -path "./hosts" \
    ! -path "./hostname" ! -path "./resolv.conf" ! -path "./nsswitch.conf" -exec sha256sum {} +'
  [[ $status == 0 && ${#lines[@]} -gt 3 ]]
  (cd /etc && sha256sum --quiet --check <<<"$output")
}

@test "programs of the machine run" {
  run_cay -- python3 -c 'import ssl, json, sqlite3; print(len(ssl.create_default_context().get_ca_certs()) > 0)'
  [[ $output == True || $output == False ]]
  if [[ -x /usr/bin/node ]]; then
    run_cay -- node -p '6 * 7'
    [[ $output == 42 ]]
  fi
  run_cay -- perl -e 'print 6 * 7'
  [[ $output == 42 ]]
}

@test "names, times and processors are known" {
  run_cay -- sh -c 'whoami; hostname; getent hosts localhost > /dev/null && echo localhost; cat /sys/devices/system/cpu/online'
  [[ ${lines[0]} == user && ${lines[1]} == cay && ${lines[2]} == localhost ]]
  [[ ${lines[3]} == "$(cat /sys/devices/system/cpu/online)" ]]
}

@test "the code may write in /workspace but not replace what the caller brought" {
  need_root
  mkdir brought
  chmod 0755 . brought
  run_cay --mount "$PWD/brought:/workspace/project_files" -- sh -c 'touch x agent_workspace/y outputs/z && echo written
    touch project_files/x; mv project_files y; rmdir project_files; echo changed > /sys/devices/system/cpu/online'
  [[ $output == written && $(wc -l <<<"$stderr") == 4 ]]
}

@test "what a sandbox changes in /usr is not seen by the machine or by the next one" {
  need_root
  [[ ! -e /usr/cay-test-marker ]]
  run_cay --user root -- sh -c 'touch /usr/cay-test-marker && ls /usr/cay-test-marker'
  [[ $output == /usr/cay-test-marker ]]
  [[ ! -e /usr/cay-test-marker ]]
  run_cay -- ls /usr/cay-test-marker
  [[ $status != 0 ]]
}
