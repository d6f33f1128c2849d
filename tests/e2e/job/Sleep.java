import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * A job that runs until it is cancelled and does nothing. For Flink 1.12 to 2.3.
 *
 * sleep.jar beside this file: javac --release 8 -cp flink-dist-1.20.5.jar Sleep.java, then
 * jar --create --file sleep.jar --main-class Sleep Sleep*.class
 */
public class Sleep {
  public static void main(String[] arguments) throws Exception {
    StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment();
    environment.setParallelism(1);
    environment.fromSequence(1, Long.MAX_VALUE).map(new Nap()).print();
    environment.executeAsync("sleep");
  }

  public static class Nap implements MapFunction<Long, Long> {
    @Override
    public Long map(Long number) throws Exception {
      Thread.sleep(10_000);
      return number;
    }
  }
}
