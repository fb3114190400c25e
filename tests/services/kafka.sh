#!/usr/bin/env bash
# A real Apache Kafka without Docker: one KRaft node from Maven packages; needs only java (17+) and mvn.
#   kafka.sh install                     43 MB of jars into the cache (5 to 9 s)
#   kafka.sh start|stop|kill|status|wipe [--port N]     first start 4 to 8 s; data is kept across stop and start
# env: ENVSTREAM_SERVICES (cache folder), ENVSTREAM_KAFKA_DATA (this node's data), KAFKA_VERSION, KAFKA_HEAP (256m)
set -euo pipefail
H=${ENVSTREAM_SERVICES:-${XDG_CACHE_HOME:-$HOME/.cache}/envstream-services}/kafka
V=${KAFKA_VERSION:-4.1.1}; HEAP=${KAFKA_HEAP:-256m}; L=$H/lib-$V; PORT=9092
cmd=${1:-}; shift || true
while [ $# -gt 0 ]; do case $1 in --port) PORT=$2; shift 2;; --port=*) PORT=${1#*=}; shift;; *) echo "unknown $1" >&2; exit 2;; esac; done
D=${ENVSTREAM_KAFKA_DATA:-$H/node-$PORT-$V}; PIDF=$D/pid; CPORT=$((PORT+1))
alive(){ [ -s "$PIDF" ] && kill -0 "$(cat "$PIDF")" 2>/dev/null && grep -aq kafka.Kafka "/proc/$(cat "$PIDF")/cmdline" 2>/dev/null; }
JOPT=(-Xms$HEAP -Xmx$HEAP -XX:+UseG1GC -XX:MaxDirectMemorySize=128m -XX:MaxMetaspaceSize=128m -Djava.awt.headless=true)
install(){
  [ -f "$L/.ok" ] && { echo "already installed: $L"; return; }
  mkdir -p "$H/pom"; case $V in 3.*) B='<groupId>org.slf4j</groupId><artifactId>slf4j-reload4j</artifactId><version>1.7.36</version>';;
    *) B='<groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.24.3</version>';; esac
  cat > "$H/pom/pom.xml" <<X
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
 <groupId>local</groupId><artifactId>kafka-real</artifactId><version>1</version><packaging>pom</packaging>
 <dependencies>
  <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$V</version></dependency>
  <dependency>$B</dependency>
 </dependencies>
 <build><plugins><plugin><groupId>org.apache.maven.plugins</groupId><artifactId>maven-dependency-plugin</artifactId><version>3.6.1</version></plugin></plugins></build>
</project>
X
  mvn -q -B -f "$H/pom/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$L"
  touch "$L/.ok"; echo "installed $L ($(du -sm "$L" | cut -f1) MB)"
}
start(){
  [ -f "$L/.ok" ] || install
  alive && { echo "already running pid $(cat "$PIDF")"; return; }
  for q in $PORT $CPORT; do if (exec 3<>"/dev/tcp/127.0.0.1/$q") 2>/dev/null; then echo "port $q is already in use" >&2; exit 1; fi; done
  mkdir -p "$D/data"
  cat > "$D/server.properties" <<X
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$CPORT
listeners=PLAINTEXT://127.0.0.1:$PORT,CONTROLLER://127.0.0.1:$CPORT
advertised.listeners=PLAINTEXT://127.0.0.1:$PORT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=$D/data
num.partitions=4
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=4
log.segment.bytes=67108864
log.retention.hours=48
log.cleaner.dedupe.buffer.size=16777216
controlled.shutdown.enable=true
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
controller.quorum.election.timeout.ms=300
controller.quorum.election.backoff.max.ms=300
X
  cat > "$D/log4j2.properties" <<X
appender.c.type=Console
appender.c.name=C
appender.c.layout.type=PatternLayout
appender.c.layout.pattern=[%d] %p %m (%c)%n
rootLogger.level=warn
rootLogger.appenderRef.c.ref=C
logger.k.name=kafka.server.KafkaRaftServer
logger.k.level=info
X
  printf 'log4j.rootLogger=WARN,C\nlog4j.logger.kafka.server.KafkaRaftServer=INFO\nlog4j.appender.C=org.apache.log4j.ConsoleAppender\nlog4j.appender.C.layout=org.apache.log4j.PatternLayout\nlog4j.appender.C.layout.ConversionPattern=[%%d] %%p %%m (%%c)%%n\n' > "$D/log4j.properties"
  LG=(-Dlog4j2.configurationFile="$D/log4j2.properties" -Dlog4j.configuration="file:$D/log4j.properties")
  if [ ! -f "$D/data/meta.properties" ]; then
    CID=$(java -Xmx128m "${LG[@]}" -cp "$L/*" kafka.tools.StorageTool random-uuid)
    java -Xmx128m "${LG[@]}" -cp "$L/*" kafka.tools.StorageTool format -t "$CID" -c "$D/server.properties"
  fi
  touch "$D/broker.log"; off=$(stat -c %s "$D/broker.log")
  setsid nohup java "${JOPT[@]}" "${LG[@]}" -cp "$L/*" kafka.Kafka "$D/server.properties" >>"$D/broker.log" 2>&1 </dev/null &
  echo $! > "$PIDF"
  for _ in $(seq 600); do
    alive || { sleep 1; alive; } || { echo "broker died; tail of $D/broker.log:" >&2; tail -20 "$D/broker.log" >&2; exit 1; }
    if tail -c +$((off+1)) "$D/broker.log" | grep -q 'Kafka Server started'; then echo "up pid $(cat "$PIDF") bootstrap 127.0.0.1:$PORT"; return; fi
    sleep 0.1
  done; echo "timeout, see $D/broker.log" >&2; exit 1
}
stop(){ alive || { echo "not running"; rm -f "$PIDF"; return; }
  p=$(cat "$PIDF"); kill -TERM "$p"
  for _ in $(seq 300); do kill -0 "$p" 2>/dev/null || { rm -f "$PIDF"; echo "stopped"; return; }; sleep 0.1; done
  echo "still up after 30 s, kill -9" >&2; kill -9 "$p"; rm -f "$PIDF"; }
case $cmd in install) install;; start) start;; stop) stop;;
  kill) alive && kill -9 "$(cat "$PIDF")"; rm -f "$PIDF";;
  status) alive && echo "up $(cat "$PIDF") rss_mb $(( $(awk '/VmRSS/{print $2}' /proc/$(cat "$PIDF")/status)/1024 ))" || echo down;;
  wipe) alive && { echo "stop first" >&2; exit 1; }; rm -rf "$D";;
  *) echo "usage: $0 install|start [--port N]|stop|kill|status|wipe" >&2; exit 2;; esac
