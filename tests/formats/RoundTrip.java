// Takes settings the way that `create` gives them to Flink's client, and prints what the client, and the processes of
// the session, make of them: with the client's own parser of arguments, its own writer of the ConfigMap and the
// session's own reader of the file, by the classes of the release on the class path (Flink 1.10 and later).
//
// usage: java -cp 'LIB/*' RoundTrip.java FILE <CASES
// FILE is the configuration file of the image: flink-conf.yaml or config.yaml.
//
// A case is a line of words with a blank between them, of which all but the first are in base64 (`-` is the empty text):
//   setting KEY VALUE    a setting
//   map KEY VALUE        one that Flink reads as a map
// Each is answered with a line: what the client has, a blank, what is read from the file in a pod. A text is in base64
// again, a map is `{KEY=VALUE,...}` of such, what is not there is `absent`, and what throws is `!CLASS`. Where another
// setting than this one is changed on the way, the second word is `foreign`.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.AccessibleObject;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

public class RoundTrip {
    private static final String CONFIGURATION = "org.apache.flink.configuration.Configuration";
    private static final String DECORATORS = "org.apache.flink.kubernetes.kubeclient.decorators.";

    private final Path conf = Files.createTempDirectory("conf");
    private final Path mounted = Files.createTempDirectory("mounted");
    private final Class<?> configuration = Class.forName(CONFIGURATION);
    private final Method load =
            Class.forName("org.apache.flink.configuration.GlobalConfiguration").getMethod("loadConfiguration", String.class);
    private final Object base;

    private RoundTrip(String file) throws Exception {
        Files.writeString(conf.resolve(file), "kubernetes.cluster-id: roc\n");
        base = load.invoke(null, conf.toString());
    }

    public static void main(String[] words) throws Exception {
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.US_ASCII);
        // What Flink logs is not the answer.
        System.setOut(System.err);
        RoundTrip trip = new RoundTrip(words[0]);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        String line;
        while ((line = in.readLine()) != null) {
            String[] parts = line.split(" ");
            out.println(trip.answer(parts[0].equals("map"), decoded(parts[1]), decoded(parts[2])));
        }
        out.flush();
    }

    private String answer(boolean isMap, String key, String value) {
        Object client;
        String first;
        try {
            client = client("-D" + key + "=" + value);
            first = shown(client, key, isMap);
        } catch (Throwable error) {
            return failed(error) + " absent";
        }
        try {
            Object pod = pod(client);
            Map<String, String> before = others(client, key);
            Map<String, String> after = others(pod, key);
            // An option of the client that is not for the pods.
            before.keySet().removeIf(other -> other.startsWith("$internal.deployment.config-dir"));
            return first + " " + (before.equals(after) ? shown(pod, key, isMap) : "foreign");
        } catch (Throwable error) {
            return first + " " + failed(error);
        }
    }

    /** The configuration that the client makes of its arguments. */
    private Object client(String word) throws Exception {
        Class<?> type = Class.forName("org.apache.flink.kubernetes.cli.KubernetesSessionCli");
        Object cli;
        try {
            cli = type.getConstructor(configuration, String.class).newInstance(base, conf.toString());
        } catch (NoSuchMethodException of_1_10) {
            cli = type.getConstructor(configuration).newInstance(base);
        }
        Method parse = open(type.getDeclaredMethod("getEffectiveConfiguration", String[].class));
        return parse.invoke(cli, (Object) new String[] {word});
    }

    /** The configuration that a process of the session reads: written into the ConfigMap, mounted, and loaded. */
    private Object pod(Object client) throws Exception {
        for (Map.Entry<String, String> file : configMap(client).entrySet()) {
            Files.writeString(mounted.resolve(file.getKey()), file.getValue());
        }
        return load.invoke(null, mounted.toString());
    }

    @SuppressWarnings("unchecked")
    private Map<String, String> configMap(Object client) throws Exception {
        Class<?> type;
        try {
            type = Class.forName(DECORATORS + "ConfigMapDecorator");
        } catch (ClassNotFoundException later) {
            Object size =
                    made("org.apache.flink.client.deployment.ClusterSpecification$ClusterSpecificationBuilder");
            size = size.getClass().getMethod("createClusterSpecification").invoke(size);
            Object parameters = made(
                    "org.apache.flink.kubernetes.kubeclient.parameters.KubernetesJobManagerParameters", client, size);
            Object decorator = made(DECORATORS + "FlinkConfMountDecorator", parameters);
            Method build = decorator.getClass().getMethod("buildAccompanyingKubernetesResources");
            return data(((List<Object>) build.invoke(decorator)).get(0));
        }
        // Flink 1.10.
        for (Method method : type.getDeclaredMethods()) {
            if (method.getName().equals("decorateInternalResource") && !method.isBridge()) {
                Object empty = method.getParameterTypes()[0].getConstructor().newInstance();
                return data(open(method).invoke(made(type.getName()), empty, client));
            }
        }
        throw new NoSuchMethodException("decorateInternalResource");
    }

    @SuppressWarnings("unchecked")
    private static Map<String, String> data(Object configMap) throws Exception {
        return (Map<String, String>) configMap.getClass().getMethod("getData").invoke(configMap);
    }

    private static Object made(String type, Object... arguments) throws Exception {
        for (Constructor<?> constructor : Class.forName(type).getDeclaredConstructors()) {
            if (constructor.getParameterCount() == arguments.length) {
                return open(constructor).newInstance(arguments);
            }
        }
        throw new NoSuchMethodException(type);
    }

    private static <T extends AccessibleObject> T open(T member) {
        member.setAccessible(true);
        return member;
    }

    @SuppressWarnings("unchecked")
    private Map<String, String> others(Object config, String key) throws Exception {
        Map<String, String> all =
                new HashMap<>((Map<String, String>) configuration.getMethod("toMap").invoke(config));
        all.remove(key);
        return all;
    }

    @SuppressWarnings("unchecked")
    private String shown(Object config, String key, boolean isMap) throws Exception {
        if (!isMap) {
            String value = ((Map<String, String>) configuration.getMethod("toMap").invoke(config)).get(key);
            return value == null ? "absent" : encoded(value);
        }
        Class<?> options = Class.forName("org.apache.flink.configuration.ConfigOptions");
        Object builder = options.getMethod("key", String.class).invoke(null, key);
        builder = open(builder.getClass().getMethod("mapType")).invoke(builder);
        Object option = open(builder.getClass().getMethod("noDefaultValue")).invoke(builder);
        Class<?> type = Class.forName("org.apache.flink.configuration.ConfigOption");
        Map<String, String> map = (Map<String, String>) configuration.getMethod("get", type).invoke(config, option);
        if (map == null) {
            return "absent";
        }
        StringBuilder text = new StringBuilder("{");
        new TreeMap<>(map).forEach((name, value) -> {
            text.append(text.length() > 1 ? "," : "").append(encoded(name)).append("=").append(encoded(value));
        });
        return text.append("}").toString();
    }

    private static String failed(Throwable error) {
        while (error instanceof InvocationTargetException || error instanceof RuntimeException && error.getCause() != null) {
            error = error.getCause();
        }
        return "!" + error.getClass().getSimpleName();
    }

    private static String encoded(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        return bytes.length == 0 ? "-" : Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    }

    private static String decoded(String word) {
        return word.equals("-") ? "" : new String(Base64.getUrlDecoder().decode(word), StandardCharsets.UTF_8);
    }
}
