// Reads the configuration options out of Flink's classes; dev/flink-keys runs it.
//
// usage: java FlinkKeys.java read DIRECTORY    the options in the jars of one release, for `merge`
//        java FlinkKeys.java merge FILE...     what `read` printed, named VERSION.tsv and oldest first, as one table

import java.io.InputStream;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.math.BigInteger;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.*;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

class FlinkKeys {
    static final String OPTION = "org.apache.flink.configuration.ConfigOption";
    /** Settings of table connectors and of metric reporters (which stand behind a prefix), and of other platforms. */
    static final List<String> FOREIGN_PACKAGES =
            List.of("connector.", "formats.", "metrics.", "yarn.", "mesos.", "streaming.api.graph.StreamConfig");
    /** Other platforms' settings, what Flink writes for itself, and what stands behind a reporter's prefix. */
    static final List<String> FOREIGN_KEYS = List.of(
            "yarn.", "mesos.", "internal.", "kubernetes.internal.", "python.internal.", "hidden.", "scope.", "__");
    /** What bin/config.sh, or a class by its mere name, reads in every version, also where no option declares it. */
    static final List<String> UNDECLARED_KEYS = List.of(
            "env.java.home", "env.pid.dir", "taskmanager.compute.numa", "zookeeper.heap.mb", "local.number-taskmanager",
            "python.archives", "python.files", "taskmanager.log.path", "taskmanager.runtime.fs_timeout",
            "taskmanager.runtime.large-record-handler");
    /** Never left to the default, which is another one in each release. */
    static final List<String> ALWAYS_SET = List.of("kubernetes.container.image", "kubernetes.container.image.ref");
    /** An enum with more values than this is no reading for a person: it counts as text. */
    static final int MOST_VALUES = 8;

    /** Units that every version reads, largest first. */
    static final List<Map.Entry<String, Long>> DURATIONS = List.of(Map.entry("d", 86_400_000L),
            Map.entry("h", 3_600_000L), Map.entry("min", 60_000L), Map.entry("s", 1_000L), Map.entry("ms", 1L));
    static final List<Map.Entry<String, Long>> SIZES = List.of(Map.entry("tb", 1L << 40),
            Map.entry("gb", 1L << 30), Map.entry("mb", 1L << 20), Map.entry("kb", 1L << 10), Map.entry("b", 1L));

    public static void main(String[] arguments) throws Exception {
        if (arguments.length == 2 && arguments[0].equals("read")) {
            read(Path.of(arguments[1])).forEach(System.out::println);
            System.exit(0); // whatever threads Flink's static initializers left
        } else if (arguments.length > 1 && arguments[0].equals("merge")) {
            new Merge(Arrays.copyOfRange(arguments, 1, arguments.length)).print();
        } else {
            System.err.println("usage: FlinkKeys read DIRECTORY | merge FILE...");
            System.exit(2);
        }
    }

    // ---- read: one line per option: name, kind, "deprecated" or nothing, fallback names (`~`: not a former name),
    //      default value

    static SortedSet<String> read(Path directory) throws Exception {
        List<Path> jars;
        try (Stream<Path> files = Files.walk(directory)) {
            jars = files.filter(file -> file.toString().endsWith(".jar")).sorted().collect(Collectors.toList());
        }
        List<URL> urls = new ArrayList<>();
        for (Path jar : jars) {
            urls.add(jar.toUri().toURL());
        }
        URLClassLoader loader = new URLClassLoader(urls.toArray(URL[]::new), ClassLoader.getPlatformClassLoader());
        Thread.currentThread().setContextClassLoader(loader);
        Class<?> option = loader.loadClass(OPTION);
        SortedSet<String> lines = new TreeSet<>();
        for (Path jar : jars) {
            for (String name : classesThatNameOptions(jar)) {
                try {
                    readClass(Class.forName(name, false, loader), option, lines);
                } catch (LinkageError e) {
                    // It wants a library that a session does not have, such as Hadoop: so it reads no setting there.
                    System.err.println("flink-keys: left out " + name + ": " + e);
                }
            }
        }
        return lines;
    }

    static List<String> classesThatNameOptions(Path path) throws Exception {
        String descriptor = "L" + OPTION.replace('.', '/') + ";";
        List<String> names = new ArrayList<>();
        try (JarFile jar = new JarFile(path.toFile())) {
            for (JarEntry entry : Collections.list(jar.entries())) {
                String name = entry.getName();
                if (!name.startsWith("org/apache/flink/") || !name.endsWith(".class")) {
                    continue;
                }
                try (InputStream bytes = jar.getInputStream(entry)) {
                    if (new String(bytes.readAllBytes(), StandardCharsets.ISO_8859_1).contains(descriptor)) {
                        names.add(name.substring(0, name.length() - ".class".length()).replace('/', '.'));
                    }
                }
            }
        }
        return names;
    }

    static void readClass(Class<?> owner, Class<?> option, SortedSet<String> lines) throws Exception {
        String name = owner.getName().substring("org.apache.flink.".length());
        if (FOREIGN_PACKAGES.stream().anyMatch(name::startsWith)) {
            return;
        }
        for (Field field : owner.getDeclaredFields()) {
            // The fields of a Scala object are those of its one instance.
            boolean isStatic = Modifier.isStatic(field.getModifiers());
            if (field.getType() != option || isSuffix(field) || !isStatic && !name.endsWith("$")) {
                continue;
            }
            field.setAccessible(true);
            Object value = field.get(isStatic ? null : owner.getField("MODULE$").get(null));
            if (value == null) {
                continue;
            }
            String key = (String) get(value, "key");
            // The table packages also hold the options of tables and catalogs, which are no settings of Flink.
            if (!isSetting(key) || name.startsWith("table.") && !key.startsWith("table.")) {
                continue;
            }
            List<String> fallbacks = new ArrayList<>();
            for (Object fallback : (Object[]) get(value, "fallbackKeys")) {
                String other = (String) get(fallback, "key");
                if (isSetting(other) && !other.equals(key)) {
                    fallbacks.add(((boolean) get(fallback, "isDeprecated") ? "" : "~") + other);
                }
            }
            boolean deprecated =
                    field.isAnnotationPresent(Deprecated.class) || owner.isAnnotationPresent(Deprecated.class);
            lines.add(String.join("\t", key, kind(value), deprecated ? "deprecated" : "", String.join(",", fallbacks),
                    text(get(value, "defaultValue"))));
        }
    }

    /** Such as `class`, which is read as `metrics.reporter.NAME.class`. */
    static boolean isSuffix(Field field) {
        return Arrays.stream(field.getAnnotations())
                .anyMatch(annotation -> annotation.annotationType().getSimpleName().equals("SuffixOption"));
    }

    /** False for patterns such as `metrics.reporter.<name>.class`, and for what no person sets. */
    static boolean isSetting(String key) {
        return !key.contains("<") && !key.contains("$") && !key.equals("class")
                && FOREIGN_KEYS.stream().noneMatch(key::startsWith);
    }

    static String kind(Object option) throws Exception {
        Class<?> type = (Class<?>) get(option, "clazz");
        if ((boolean) get(option, "isList")) {
            return "list";
        }
        if (type.isEnum()) {
            // Flink compares with toString(), not with name().
            List<String> values =
                    Arrays.stream(type.getEnumConstants()).map(Object::toString).collect(Collectors.toList());
            return values.size() > MOST_VALUES ? "text" : "enum:" + String.join("|", values);
        }
        switch (type.getSimpleName()) {
            case "Boolean": return "boolean";
            case "Integer": return "integer";
            case "Long": return "long";
            case "Float":
            case "Double": return "double";
            case "Duration": return "duration";
            case "MemorySize": return "memory";
            case "Map": return "map";
            default: return "text";
        }
    }

    /** A default value as a configuration file would say it; nothing where there is none. */
    static String text(Object value) throws Exception {
        if (value == null) {
            return "";
        }
        if (value instanceof Collection) {
            List<String> items = new ArrayList<>();
            for (Object item : (Collection<?>) value) {
                items.add(text(item));
            }
            return String.join(";", items);
        }
        if (value instanceof Map) {
            SortedSet<String> entries = new TreeSet<>();
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                entries.add(text(entry.getKey()) + ":" + text(entry.getValue()));
            }
            return String.join(",", entries);
        }
        if (value instanceof Duration) {
            Duration duration = (Duration) value;
            if (duration.getNano() % 1_000_000 != 0) {
                return duration.toNanos() + " ns";
            }
            // Some defaults are as long as a duration can be.
            BigInteger milliseconds = BigInteger.valueOf(duration.getSeconds()).multiply(BigInteger.valueOf(1000))
                    .add(BigInteger.valueOf(duration.getNano() / 1_000_000));
            return inUnits(milliseconds, DURATIONS);
        }
        if (value.getClass().getSimpleName().equals("MemorySize")) {
            return inUnits(BigInteger.valueOf((long) get(value, "bytes")), SIZES);
        }
        // What has tabs or several lines cannot be said in a configuration file.
        return value.toString().chars().anyMatch(c -> c < ' ') ? "" : value.toString();
    }

    /** In the largest unit of which it is a whole number. */
    static String inUnits(BigInteger amount, List<Map.Entry<String, Long>> units) {
        for (Map.Entry<String, Long> unit : units) {
            BigInteger[] parts = amount.divideAndRemainder(BigInteger.valueOf(unit.getValue()));
            if (parts[0].signum() != 0 && parts[1].signum() == 0) {
                return parts[0] + " " + unit.getKey();
            }
        }
        return "0";
    }

    /** A private field: the getters differ between versions. */
    static Object get(Object object, String name) throws Exception {
        Field field = object.getClass().getDeclaredField(name);
        field.setAccessible(true);
        return field.get(object);
    }

    // ---- merge: what each name means in each version; keys.tsv's head says how that is written

    /** One name in one version, from every option of that name (some are declared twice). */
    static class Option {
        String kind = "text";
        boolean deprecated;
        /** Empty where there is none. */
        String defaultValue = "";
        final Set<String> formerNames = new TreeSet<>();
        final Set<String> defaults = new TreeSet<>();

        Option(boolean deprecated) {
            this.deprecated = deprecated;
        }
    }

    static class Merge {
        final List<String> versions = new ArrayList<>();
        /** For each version. */
        final List<Map<String, Option>> options = new ArrayList<>();
        /** For each version, the name that is read as each name: itself for a primary one or where it is ambiguous. */
        final List<Map<String, String>> readAs = new ArrayList<>();
        /** Names of one setting, from any version. */
        final Map<String, Set<String>> related = new TreeMap<>();

        Merge(String[] files) throws Exception {
            for (String file : files) {
                String release = Path.of(file).getFileName().toString();
                versions.add(release.replaceFirst("^(\\d+\\.\\d+)\\..*", "$1"));
                options.add(parse(Files.readAllLines(Path.of(file))));
                readAs.add(namesRead(options.get(options.size() - 1)));
            }
            for (Map<String, String> names : readAs) {
                names.forEach((name, primary) -> {
                    related.computeIfAbsent(name, n -> new TreeSet<>()).add(primary);
                    related.computeIfAbsent(primary, n -> new TreeSet<>()).add(name);
                });
            }
        }

        static Map<String, Option> parse(List<String> lines) {
            Map<String, Option> options = new TreeMap<>();
            for (String line : lines) {
                String[] fields = line.split("\t", -1);
                boolean deprecated = fields[2].equals("deprecated");
                Option option = options.computeIfAbsent(fields[0], name -> new Option(deprecated));
                // A twin that says more than "some text" knows how the value is parsed.
                boolean knows = !fields[1].equals("text");
                option.kind = knows ? fields[1] : option.kind;
                option.deprecated &= deprecated;
                String value = ALWAYS_SET.contains(fields[0]) ? "" : fields[4];
                if (!value.isEmpty() && (knows || option.defaultValue.isEmpty())) {
                    option.defaultValue = value;
                }
                for (String other : fields[3].isEmpty() ? new String[0] : fields[3].split(",")) {
                    if (other.startsWith("~")) {
                        option.defaults.add(other.substring(1));
                    } else {
                        option.formerNames.add(other);
                    }
                }
            }
            // As if deprecated: an option that has the name as its former one takes it over.
            UNDECLARED_KEYS.forEach(name -> options.putIfAbsent(name, new Option(true)));
            return options;
        }

        static Map<String, String> namesRead(Map<String, Option> options) {
            Map<String, Set<String>> formerOf = new TreeMap<>();
            Map<String, Set<String>> defaultOf = new TreeMap<>();
            options.forEach((name, option) -> {
                option.formerNames.forEach(other -> formerOf.computeIfAbsent(other, n -> new TreeSet<>()).add(name));
                option.defaults.forEach(other -> defaultOf.computeIfAbsent(other, n -> new TreeSet<>()).add(name));
            });
            Map<String, String> readAs = new TreeMap<>();
            Set<String> names = new TreeSet<>(options.keySet());
            names.addAll(formerOf.keySet());
            names.addAll(defaultOf.keySet());
            for (String name : names) {
                Option own = options.get(name);
                Set<String> heirs = new TreeSet<>(formerOf.getOrDefault(name, Set.of()));
                // A constant that Flink deprecates stays beside the option that took its name over.
                heirs.removeIf(heir -> options.get(heir).deprecated);
                if (own != null && (!own.deprecated || heirs.isEmpty())) {
                    readAs.put(name, name);
                    continue;
                }
                if (heirs.isEmpty()) {
                    heirs.addAll(formerOf.getOrDefault(name, defaultOf.getOrDefault(name, Set.of())));
                }
                readAs.put(name, heir(heirs, options).orElse(name));
            }
            return readAs;
        }

        /** The only heir, or the one that all others default to: setting that one does the same. */
        static Optional<String> heir(Set<String> heirs, Map<String, Option> options) {
            Predicate<String> suffices = one -> heirs.stream()
                    .allMatch(other -> other.equals(one) || options.get(other).defaults.contains(one));
            return heirs.stream().filter(suffices).findFirst();
        }

        /** What `name` is called in a version: itself, another name, or null where nothing reads it. */
        String called(String name, int version) {
            String read = readAs.get(version).get(name);
            if (read != null) {
                return read;
            }
            Set<String> seen = new TreeSet<>(Set.of(name));
            for (Set<String> near = related.get(name); !near.isEmpty(); ) {
                // Several primary names are several settings: then none of them stands for this one.
                List<String> primary = near.stream()
                        .filter(other -> options.get(version).containsKey(other))
                        .filter(other -> other.equals(readAs.get(version).get(other)))
                        .collect(Collectors.toList());
                if (!primary.isEmpty()) {
                    return primary.size() == 1 ? primary.get(0) : null;
                }
                seen.addAll(near);
                near = near.stream().flatMap(other -> related.get(other).stream())
                        .filter(other -> !seen.contains(other)).collect(Collectors.toCollection(TreeSet::new));
            }
            return null;
        }

        /** What Flink reads as `name` in a version; none where nothing does. */
        Optional<Option> option(String name, int version) {
            return Optional.ofNullable(called(name, version)).map(options.get(version)::get);
        }

        void print() {
            for (String name : related.keySet()) {
                List<String> readings = new ArrayList<>();
                String last = null;
                for (int version = 0; version < versions.size(); version++) {
                    String primary = called(name, version);
                    if (!Objects.equals(primary, last)) {
                        readings.add(primary == null
                                ? "-" + versions.get(version - 1)
                                : versions.get(version) + (primary.equals(name) ? "" : ":" + primary));
                        last = primary;
                    }
                }
                // An ambiguous former name has no kind of its own.
                List<String> kinds = changes(name, option -> option.kind);
                String kind = kinds.isEmpty() ? "text" : String.join(" ", kinds);
                List<String> line = new ArrayList<>(List.of(name, kind, String.join(" ", readings)));
                line.addAll(defaults(name, last));
                System.out.println(String.join("\t", line));
            }
        }

        /** The default values of `name`; none where they are those of `last`, as it is called in the end. */
        List<String> defaults(String name, String last) {
            Function<Option, String> value = option -> option.defaultValue;
            List<String> own = changes(name, value);
            boolean renamed = last != null && !last.equals(name);
            boolean same = renamed && IntStream.range(0, versions.size()).allMatch(version -> {
                Optional<String> here = option(name, version).map(value);
                return here.isEmpty() || here.equals(option(last, version).map(value));
            });
            return same || !renamed && own.equals(List.of("")) ? List.of() : own;
        }

        /** A fact in the first version that has the setting, then VERSION=FACT for each that changed it. */
        List<String> changes(String name, Function<Option, String> fact) {
            List<String> changes = new ArrayList<>();
            String last = null;
            for (int version = 0; version < versions.size(); version++) {
                String now = option(name, version).map(fact).orElse(last);
                if (!Objects.equals(now, last)) {
                    changes.add(last == null ? now : versions.get(version) + "=" + now);
                    last = now;
                }
            }
            return changes;
        }
    }
}
