import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * Counts the views of each page, from generated visits: ten per second, without end. For Flink 1.12 and later.
 *
 * <p>The counts are the state of the job: started from a savepoint, the job continues to count from there. The lines
 * are in the log of the TaskManager: "pricing was viewed 17 times".
 *
 * <p>README.md beside this file says how page-views.jar is built.
 */
public class PageViews {
  public static void main(String[] arguments) throws Exception {
    StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment();
    environment
        .fromSequence(1, Long.MAX_VALUE)
        .uid("visits")
        .map(new Visit())
        .uid("pages")
        .keyBy(page -> page)
        .map(new Count())
        .uid("views")
        .print();
    environment.execute("page-views");
  }

  /** The page that a visit goes to. */
  public static class Visit implements MapFunction<Long, String> {
    private static final String[] PAGES = {"home", "pricing", "docs", "blog"};

    @Override
    public String map(Long visit) throws Exception {
      Thread.sleep(100);
      return PAGES[(int) (visit % PAGES.length)];
    }
  }

  /** Counts the views of one page in keyed state. */
  public static class Count extends RichMapFunction<String, String> {
    // open() takes different arguments in Flink 1 and 2, so the state is looked up at the first record.
    private transient ValueState<Long> views;

    @Override
    public String map(String page) throws Exception {
      if (views == null) {
        views = getRuntimeContext().getState(new ValueStateDescriptor<>("views", Long.class));
      }
      long before = views.value() == null ? 0 : views.value();
      views.update(before + 1);
      return page + " was viewed " + (before + 1) + " times";
    }
  }
}
