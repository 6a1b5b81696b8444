{# Rows that share the values of all `columns` (or have a null among them): the key of a model of several columns. #}
{% test unique_combination(model, columns) %}

select {{ columns | join(', ') }}
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1 {% for column in columns %} or {{ column }} is null {% endfor %}

{% endtest %}
