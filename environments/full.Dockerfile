# environment: basic, and aws, gcloud, az, kubectl, helm, k9s, terraform, pulumi, docker
# aliases: sandbox-full *sandbox-full:local
# network: debian pypi go
# needs: basic
# test: python -c 'import yaml, requests, click' && node --version | grep -F 'v20.' && git --version
# test: aws --version
# test: az version
# test: kubectl version --client
# test: docker --version
# test: helm version
# test: k9s version --short
# test: terraform version
# test: pulumi version
# optional: gcloud --version

# gcloud is in no registry of packages: with the address of its archive for Linux it is in, without it is not:
#   cay env build full --build-arg GCLOUD_ARCHIVE=https://… --allow HOST:443
ARG GCLOUD_ARCHIVE=

# A release of Go is a module, too, which any Go can fetch; its programs are not executable in it.
FROM basic AS go
USER root
RUN apt-get update && apt-get install -y --no-install-recommends golang-go
RUN <<END
set -eu
module=golang.org/toolchain@v0.0.1-go1.23.12.linux-$(dpkg --print-architecture)
GOPATH=/tmp/go GOFLAGS=-modcacherw GONOSUMDB=golang.org/toolchain go mod download "$module"
mv "/tmp/go/pkg/mod/$module" /usr/local/go
chmod 755 /usr/local/go/bin/* /usr/local/go/pkg/tool/*/*
END
# build MODULE@VERSION PACKAGE NAME: a program of a module, as itself builds it, but for replacements that are not in it.
COPY --chmod=755 <<'END' /usr/local/bin/build
#!/bin/sh
set -eu
export PATH=/usr/local/go/bin:$PATH GOTOOLCHAIN=local CGO_ENABLED=0 GOFLAGS='-mod=mod -modcacherw'
source=$(go mod download -json "$1" | jq -r .Dir)
cp -r "$source" /tmp/source
cd /tmp/source
for module in $(go mod edit -json | jq -r '.Replace // [] | .[] | select(.New.Path | startswith(".")) | .Old.Path'); do
  go mod edit -dropreplace "$module"
done
go build -trimpath -ldflags '-s -w' -o "/out/$3" "./$2"
rm -rf /tmp/source
END
FROM go AS helm
RUN build helm.sh/helm/v3@v3.16.4 cmd/helm helm
FROM go AS k9s
RUN build github.com/derailed/k9s@v0.32.7 . k9s
FROM go AS terraform
RUN build github.com/hashicorp/terraform@v1.5.7 . terraform
FROM go AS pulumi
RUN build github.com/pulumi/pulumi/pkg/v3@v3.142.0 cmd/pulumi pulumi

# Of Debian's packages only the clients.
FROM basic AS clients
USER root
RUN <<END
set -eu
cd /tmp
apt-get update
apt-get download docker.io kubernetes-client
for package in *.deb; do dpkg-deb -x "$package" /tmp/files; done
mkdir -p /out
cp /tmp/files/usr/bin/docker /tmp/files/usr/bin/kubectl /out/
END

FROM basic AS gcloud
ARG GCLOUD_ARCHIVE
USER root
RUN <<END
set -eu
mkdir -p /opt/google-cloud-sdk
if [ -n "$GCLOUD_ARCHIVE" ]; then
  curl -fsSL "$GCLOUD_ARCHIVE" | tar -xz -C /opt
else
  echo 'gcloud is left out: no GCLOUD_ARCHIVE was given' >&2
fi
END

FROM basic
USER root
RUN python3 -m venv /opt/aws && /opt/aws/bin/pip install --no-cache-dir --no-compile awscli && ln -s /opt/aws/bin/aws /usr/local/bin/aws
RUN python3 -m venv /opt/az && /opt/az/bin/pip install --no-cache-dir --no-compile azure-cli && ln -s /opt/az/bin/az /usr/local/bin/az
COPY --from=clients /out /usr/local/bin
COPY --from=helm /out /usr/local/bin
COPY --from=k9s /out /usr/local/bin
COPY --from=terraform /out /usr/local/bin
COPY --from=pulumi /out /usr/local/bin
COPY --from=gcloud /opt/google-cloud-sdk /opt/google-cloud-sdk
ENV PATH=/opt/python/bin:/opt/node/bin:/opt/google-cloud-sdk/bin:/usr/local/bin:/usr/bin:/bin
USER sandbox
