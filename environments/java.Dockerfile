# environment: Java 17 (OpenJDK) with its compiler
# aliases: openjdk jdk java-17 java17 openjdk-17 jdk-17 jdk17
# network: debian
# test: java -version 2>&1 | grep -F '"17.' && javac -version
# test: printf 'class Hello { public static void main(String[] a) { System.out.println("hello"); } }\n' > /tmp/Hello.java && javac -d /tmp /tmp/Hello.java && java -cp /tmp Hello | grep hello
# test: git --version && curl --version && jq --version
FROM debian:bookworm
RUN <<END
set -eu
printf 'path-exclude=/usr/share/%s/*\n' doc man locale > /etc/dpkg/dpkg.cfg.d/small
apt-get update
apt-get install -y --no-install-recommends ca-certificates curl git jq less procps unzip vim-tiny wget xz-utils
rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt/* /var/log/*.log
useradd --create-home --shell /bin/bash sandbox
install -d -o sandbox -g sandbox /workspace
END
RUN <<END
set -eu
mkdir -p /usr/share/man/man1
apt-get update
apt-get install -y --no-install-recommends openjdk-17-jdk-headless
rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt/* /var/log/*.log
END
USER sandbox
WORKDIR /workspace
CMD ["bash"]
