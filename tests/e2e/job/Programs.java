import java.io.IOException;
import java.util.Collections;
import java.util.Map;
import org.apache.flink.api.common.ExecutionConfig;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
import org.apache.flink.streaming.api.datastream.DataStreamSource;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.source.RichParallelSourceFunction;

/**
 * Programs that start jobs, or fail to. The first argument says which. For Flink 1.10 to 2.3.
 *
 * A job counts, five numbers a second, and prints them. Its state is the number that it has come to: restored from a
 * savepoint, it goes on from there. Its parallelism is that of the request.
 *
 * programs.jar and no-main.jar beside this file: javac --release 8 -cp flink-dist-1.20.5.jar Programs.java, then
 * jar --create --file programs.jar --main-class Programs Programs*.class and
 * jar --create --file no-main.jar Programs*.class
 */
public class Programs {
  private static final long FOREVER = Long.MAX_VALUE;

  public static void main(String[] arguments) throws Exception {
    switch (arguments[0]) {
      case "long": // runs until it is cancelled or stopped
        start("long", FOREVER, new Nap());
        break;
      case "stubborn": // the same, and there is no savepoint of it
        start("stubborn", FOREVER, new Nap().thatFailsToSave());
        break;
      case "sleepy": // sleepy MILLISECONDS: the same, and its savepoints take that long
        start("sleepy", FOREVER, new Nap().thatSavesFor(Long.parseLong(arguments[1])));
        break;
      case "short": // finishes by itself
        start("short", 20, new Nap());
        break;
      case "instant": // finishes at once
        start("instant", 1, new Nap());
        break;
      case "two": // Flink 1.10 starts only the first
        start("first of two", FOREVER, new Nap());
        start("second of two", FOREVER, new Nap());
        break;
      case "three": // Flink 1.10 starts only the first
        start("first of three", FOREVER, new Nap());
        start("second of three", FOREVER, new Nap());
        start("third of three", FOREVER, new Nap());
        break;
      case "parameters": // two jobs, with global job parameters of its own
        start("first with parameters", FOREVER, new Nap(), new Parameters());
        start("second with parameters", FOREVER, new Nap(), new Parameters());
        break;
      case "exits": // exits CODE: ends the process that it runs in, before any job
        System.exit(Integer.parseInt(arguments[1]));
        break;
      case "breaks": // its job runs for two seconds, then fails
        start("breaks", FOREVER, new Nap().thatBreaks());
        break;
      case "slow": // slow MILLISECONDS: takes that long before it starts its job
        Thread.sleep(Long.parseLong(arguments[1]));
        start("slow", FOREVER, new Nap());
        break;
      case "fails": // fails itself, before any job
        throw new RuntimeException(
            "cannot plan the job", new IllegalStateException("the topic orders does not exist"));
      case "nothing": // ends well, with no job
        break;
      default:
        throw new IllegalArgumentException("there is no program " + arguments[0]);
    }
  }

  private static void start(String name, long to, Nap nap) throws Exception {
    start(name, to, nap, null);
  }

  private static void start(String name, long to, Nap nap, Parameters parameters) throws Exception {
    StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment();
    if (parameters != null) {
      environment.getConfig().setGlobalJobParameters(parameters);
    }
    numbers(environment, to).uid("numbers").map(nap).uid("nap").print();
    environment.executeAsync(name);
  }

  private static DataStreamSource<Long> numbers(StreamExecutionEnvironment environment, long to) {
    try {
      return environment.fromSequence(1, to);
    } catch (NoSuchMethodError beforeFlink112) {
      return Numbers.from(environment, to);
    }
  }

  /** Replaces what the session and the request have set. */
  public static class Parameters extends ExecutionConfig.GlobalJobParameters {
    @Override
    public Map<String, String> toMap() {
      return Collections.singletonMap("own", "yes");
    }
  }

  public static class Nap implements MapFunction<Long, Long>, CheckpointedFunction {
    private boolean breaks;
    private boolean failsToSave;
    private long savingMilliseconds;

    Nap thatBreaks() {
      breaks = true;
      return this;
    }

    Nap thatFailsToSave() {
      failsToSave = true;
      return this;
    }

    Nap thatSavesFor(long milliseconds) {
      savingMilliseconds = milliseconds;
      return this;
    }

    @Override
    public Long map(Long number) throws Exception {
      if (breaks && number == 10) {
        throw new IllegalArgumentException("record 10 cannot be read", new IOException("bad magic"));
      }
      Thread.sleep(200);
      return number;
    }

    @Override
    public void initializeState(FunctionInitializationContext context) {}

    @Override
    public void snapshotState(FunctionSnapshotContext context) throws Exception {
      if (failsToSave) {
        throw new IOException("the state cannot be written");
      }
      Thread.sleep(savingMilliseconds);
    }
  }

  /**
   * fromSequence for Flink 1.10. Its own generateSequence keeps all numbers in memory and in its state, so it cannot
   * count forever. Flink 2 lacks what this extends, and must not load it: that is why it has a class of its own.
   */
  @SuppressWarnings("deprecation")
  public static class Numbers extends RichParallelSourceFunction<Long> implements CheckpointedFunction {
    private final long to;
    private volatile boolean running = true;
    private long next;
    private transient ListState<Long> state;

    private Numbers(long to) {
      this.to = to;
    }

    static DataStreamSource<Long> from(StreamExecutionEnvironment environment, long to) {
      return environment.addSource(new Numbers(to), "Sequence Source");
    }

    @Override
    public void run(SourceContext<Long> context) {
      int step = getRuntimeContext().getNumberOfParallelSubtasks();
      while (running && next <= to) {
        synchronized (context.getCheckpointLock()) {
          context.collect(next);
          next += step;
        }
      }
    }

    @Override
    public void cancel() {
      running = false;
    }

    @Override
    public void initializeState(FunctionInitializationContext context) throws Exception {
      state = context.getOperatorStateStore().getListState(new ListStateDescriptor<>("next", Long.class));
      next = 1 + getRuntimeContext().getIndexOfThisSubtask();
      for (Long saved : state.get()) {
        next = saved;
      }
    }

    @Override
    public void snapshotState(FunctionSnapshotContext context) throws Exception {
      state.clear();
      state.add(next);
    }
  }
}
