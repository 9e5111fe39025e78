load common

@test "--mount shows a directory read-only, and writable when it says so" {
  mkdir -m 0777 shown
  echo content > shown/file
  run_cay --mount shown:/workspace/m -- sh -c 'cat m/file; touch m/new 2>/dev/null || echo refused'
  [[ $output == $'content\nrefused' ]]
  run_cay --mount shown:/workspace/m:rw -- sh -c 'touch m/new 2>/dev/null && echo written'
  [[ $output == written && -e shown/new ]]
}

@test "--mount shows a single file" {
  echo one > file
  run_cay --mount ./file:/workspace/inside.txt -- cat /workspace/inside.txt
  [[ $output == one ]]
}

@test "--copy takes files, and what is in directories, in" {
  mkdir -p app/sub
  echo a > app/a
  echo b > app/sub/b
  ln -s a app/link
  run_cay --copy app/a:one.txt --copy app/a:/workspace --copy app/a:made/ --copy app:new --copy app:/workspace \
    -- sh -c 'cat one.txt a made/a new/sub/b sub/b; readlink new/link; stat -c %u one.txt new/a'
  [[ $output == $'a\na\na\nb\nb\na\n1000\n1000' ]]
}

@test "--out takes files and directories out, also of a command that failed" {
  run_cay --out report.txt:here.txt --out dir:out -- sh -c 'echo r > report.txt; mkdir -p dir/sub; echo s > dir/sub/f; exit 3'
  [[ $status == 3 && $(< here.txt) == r && $(< out/sub/f) == s ]]
  run_cay --out dir:out -- sh -c 'mkdir dir; echo again > dir/g'
  [[ $status == 0 && $(< out/g) == again && $(< out/sub/f) == s ]]
}

@test "--out puts a file into a directory that is there" {
  mkdir there
  run_cay --out /workspace/x:there -- sh -c 'echo x > x'
  [[ $status == 0 && $(< there/x) == x ]]
}

@test "--out takes files out after a timeout" {
  run_cay --timeout 1s --out x:x --quiet -- sh -c 'echo part > x; sleep 60'
  [[ $status == 124 && $(< x) == part ]]
}

@test "--out of what is not there fails a command that did not" {
  run_cay --out nothing:x -- true
  assert_error 125 "--out nothing:x" "left nothing there"
  run_cay --out nothing:x -- sh -c 'exit 9'
  [[ $status == 9 ]]
}

@test "--out keeps no setuid bit, follows no link out and makes no device" {
  run_cay --out dir:out -- sh -c 'mkdir dir; echo x > dir/s; chmod 4755 dir/s; ln -s /etc/passwd dir/link; mkfifo dir/fifo'
  [[ $status == 0 && ! -u out/s && -L out/link && ! -e out/fifo ]]
}

@test "--out refuses a sparse file that is larger than all the sandbox may hold" {
  run_cay --disk 64m --file-size 2g --memory 64m --out big:big -- truncate -s 1G big
  assert_error 125 "--out big:big" "more than 128m"
  [[ ! -e big ]] && ! ls big.* 2> /dev/null
}
