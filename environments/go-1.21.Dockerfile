# environment: Go 1.21
# aliases: go1.21 golang-1.21 golang1.21 go_1.21
# network: debian go
# test: go version | grep -F 'go1.21.'
# test: mkdir -p /tmp/hello && cd /tmp/hello && go mod init hello && printf 'package main\nfunc main() { println("hello") }\n' > main.go && go run . 2>&1 | grep hello
# test: cd /tmp/hello && printf 'package main\nimport "testing"\nfunc TestMain1(t *testing.T) {}\n' > main_test.go && go test . && gofmt -l .
# test: git --version && curl --version && jq --version
FROM debian:bookworm AS debian
RUN <<END
set -eu
printf 'path-exclude=/usr/share/%s/*\n' doc man locale > /etc/dpkg/dpkg.cfg.d/small
apt-get update
apt-get install -y --no-install-recommends ca-certificates curl git jq less procps unzip vim-tiny wget xz-utils
rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt/* /var/log/*.log
useradd --create-home --shell /bin/bash sandbox
install -d -o sandbox -g sandbox /workspace
END

# A release of Go is a module, too, which any Go can fetch; its programs are not executable in it.
FROM debian AS go
RUN apt-get update && apt-get install -y --no-install-recommends golang-go
RUN <<END
set -eu
module=golang.org/toolchain@v0.0.1-go1.21.13.linux-$(dpkg --print-architecture)
GOPATH=/tmp/go GOFLAGS=-modcacherw GONOSUMDB=golang.org/toolchain go mod download "$module"
mv "/tmp/go/pkg/mod/$module" /usr/local/go
cd /usr/local/go
chmod 755 bin/* pkg/tool/*/*
rm -rf api doc test
END

FROM debian
COPY --from=go /usr/local/go /usr/local/go
USER sandbox
ENV PATH=/usr/local/go/bin:/home/sandbox/go/bin:/usr/local/bin:/usr/bin:/bin GOTOOLCHAIN=local
WORKDIR /workspace
CMD ["bash"]
