with final as ({{ beta_grid() }})

select * from final
