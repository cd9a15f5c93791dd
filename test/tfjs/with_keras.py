"""Writes models of Keras as TensorFlow.js stores them, with what they predict. keras.test.ts reads the committed
file, which has one model in each line.

    KERAS_BACKEND=torch with_keras.py FILE

The topology is what Keras 3 writes (`to_json`), and the names of the weights are their paths in Keras. The models have
what TensorFlow.js cannot load, or what its CPU backend computes wrongly: a GRU that resets after the product, groups,
causal padding, batch normalisation of axis 1, and the forms of Keras 3. The committed file was made with Keras
3.15.1 and PyTorch 2.15.
"""

import base64
import json
import sys

import keras
import numpy
from keras import layers

rng = numpy.random.default_rng(5)
keras.utils.set_random_seed(5)


def functional(make, *shapes, dtypes=None):
    inputs = [
        keras.Input(shape, dtype=(dtypes or {}).get(index, 'float32'), name=f'x{index}')
        for index, shape in enumerate(shapes)
    ]
    return keras.Model(inputs, make(*inputs))


def shared(a, b):
    dense = layers.Dense(3, activation='tanh', name='both')
    return layers.Subtract()([dense(a), dense(b)]) + dense(a)


def states(x, h, c):
    return layers.LSTM(3, return_sequences=True, return_state=True, name='lstm')(
        x, initial_state=[h, c]
    )


def nested(x):
    inner = keras.Sequential(
        [keras.Input((4,)), layers.Dense(3, name='dense'), layers.LeakyReLU(0.2)], name='inner'
    )
    return layers.Dense(2, name='dense')(inner(layers.Dense(4, name='first')(x)))


def image(x):
    x = layers.Conv2D(6, 3, groups=2, padding='same', activation='relu')(x)
    x = layers.BatchNormalization(axis=1)(x)
    x = layers.SeparableConv2D(4, 3, depth_multiplier=2)(x)
    x = layers.DepthwiseConv2D(2, depth_multiplier=3)(x)
    return layers.GlobalAveragePooling2D(keepdims=True)(layers.Dropout(0.5)(x))


def causal(x):
    x = layers.Conv1D(3, 3, dilation_rate=2, padding='causal')(x)
    return layers.GRU(3, return_sequences=True)(x)


def text(tokens):
    x = layers.Embedding(6, 4)(tokens)
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(x)
    return layers.GRU(2)(layers.Dropout(0.3)(x))


models = {
    'gru': functional(lambda x: layers.GRU(3)(x), (5, 4)),
    'gruWithoutBias': functional(lambda x: layers.GRU(3, use_bias=False)(x), (5, 4)),
    'causal': functional(causal, (6, 2)),
    'image': functional(image, (6, 5, 4)),
    'shared': functional(shared, (4,), (4,)),
    'states': functional(states, (4, 2), (3,), (3,)),
    'nested': functional(nested, (5,)),
    'text': functional(text, (5,), dtypes={0: 'int32'}),
    'normal': keras.Sequential(
        [keras.Input((3, 4)), layers.LayerNormalization(), layers.ReLU(max_value=0.8)]
    ),
}


def drawn(shape, name):
    values = rng.uniform(-0.7, 0.7, shape).astype('float32')
    return numpy.abs(values) + 0.2 if 'variance' in name else values


def case(name, model):
    weights = [weight for weight in model.weights if 'seed' not in weight.path]
    for weight in weights:
        weight.assign(drawn(weight.shape, weight.path))
    inputs = []
    for tensor in model.inputs:
        shape = [2, *tensor.shape[1:]]
        if tensor.dtype == 'int32':
            value = rng.integers(0, 6, shape).astype('int32')
        else:
            value = rng.uniform(-2, 2, shape).astype('float32')
        inputs.append(value)
    outputs = model(inputs, training=False)
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    numbers = [weight.numpy() for weight in weights]
    plain = lambda array: {'shape': list(array.shape), 'data': array.ravel().tolist()}
    return {
        'modelTopology': json.loads(model.to_json()),
        'weightSpecs': [
            {'name': weight.path, 'shape': list(weight.shape), 'dtype': 'float32'}
            for weight in weights
        ],
        'weightData': base64.b64encode(b''.join(array.tobytes() for array in numbers)).decode(),
        'inputs': [plain(value) for value in inputs],
        'outputs': [plain(output.detach().numpy()) for output in outputs],
    }


with open(sys.argv[1], 'w') as file:
    for name, model in models.items():
        print(json.dumps({'name': name, **case(name, model)}), file=file)
